"""Network namespaces of a test's own, joined by veth pairs; names carry our prefix and the process
number, and all are deleted again."""
import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def setns(path):
    with open(path, "rb") as f:
        if LIBC.setns(f.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {path}")


# the namespace the tests began in, held open: /proc's link follows us when we move
HOME = f"/proc/self/fd/{os.open('/proc/self/ns/net', os.O_RDONLY)}"


def run(*args, check=True, **kw):
    done = subprocess.run(args, capture_output=True, text=True, **kw)
    if check:
        assert done.returncode == 0, f"{' '.join(args)}: {done.stdout}{done.stderr}"
    return done


class Netns:
    def __init__(self, name):
        self.name = f"brk{os.getpid()}-{name}"
        run("ip", "netns", "add", self.name)
        self.run("ip", "link", "set", "lo", "up")
        # duplicate address detection would make every test wait a second for nothing
        self.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")

    def command(self, *args):
        return ["ip", "netns", "exec", self.name, *args]

    def run(self, *args, check=True, **kw):
        return run(*self.command(*args), check=check, **kw)

    def popen(self, *args, **kw):
        return subprocess.Popen(self.command(*args), **kw)

    @contextlib.contextmanager
    def inside(self):
        """Sockets made inside stay in the namespace, also when they are used outside."""
        setns(f"/run/netns/{self.name}")
        try:
            yield self
        finally:
            setns(HOME)

    def address(self, dev, *addresses):
        for address in addresses:
            self.run("ip", "addr", "add", address, "dev", dev)

    def route(self, *args):
        self.run("ip", *(["-6"] if ":" in args[0] or "-6" in args else []), "route", "add", *[a for a in args if a != "-6"])

    def sysctl(self, **settings):
        for key, value in settings.items():
            self.run("sysctl", "-qw", f"{key.replace('__', '.')}={value}")

    def nft(self, rules):
        self.run("nft", "-f", "-", input=rules)

    def silence(self):
        """The test's own client answers protocol 41 here; the kernel must not answer it with
        "protocol unreachable"."""
        self.nft("table ip quiet { chain out { type filter hook output priority 0; policy accept;"
                 " icmp type destination-unreachable icmp code 2 drop\n }\n}\n")

    def remove(self):
        run("ip", "netns", "del", self.name, check=False)


def join(a, dev_a, b, dev_b):
    """A veth pair with one end in each namespace, both up."""
    run("ip", "link", "add", dev_a, "netns", a.name, "type", "veth", "peer", "name", dev_b, "netns", b.name)
    a.run("ip", "link", "set", dev_a, "up")
    b.run("ip", "link", "set", dev_b, "up")


def ping(space, address, count=1, size=56, timeout=1):
    """True when `address` answered every echo request."""
    done = space.run("ping", "-6", "-n", "-c", str(count), "-i", "0.2", "-W", str(timeout), "-s", str(size), address, check=False)
    return f" {count} received" in done.stdout
