"""
Where the bench plays: three namespaces, popd in the middle one, and the tools built by run.sh.

    gen 198.18.0.2 ──g0──p0── 198.18.0.1 pop 2001:db8:fff0::1 ──p1──s0── 2001:db8:fff0::2 sink

Three more, with the same addresses, have the reference in the middle.

The clients' addresses (198.19.0.0/16) and the host that the measured packets go to
(2001:db8:fff0::dead) are neighbour entries with an Ethernet address that no device has: what
arrives there is counted by the device and dropped at once.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from support.daemon import Daemon
from support.netns import Netns, join
from support.paths import BUILD, program
from support.wait import until

POP_IPV4, GEN_IPV4, NOBODY_IPV4 = "198.18.0.1", "198.18.0.2", "198.18.0.9"
POP_UPLINK, SINK, NOBODY = "2001:db8:fff0::1", "2001:db8:fff0::2", "2001:db8:fff0::dead"
POP_ACCESS, GEN = "2001:db8:fff1::1", "2001:db8:fff1::2"
MACS = {"p0": 1, "p1": 2, "g0": 3, "s0": 4}
NOBODY_MAC = "02:00:00:00:00:05"
WORKER_CPU, OTHER_CPU = 1, 0


def tool(name):
    return str(BUILD / "bench" / name)


class Chain:
    """gen, pop and sink."""

    def __init__(self, name):
        self.spaces = []
        try:
            self.gen, self.pop, self.sink = (self.space(f"{name}-{n}") for n in ("gen", "pop", "sink"))
            self.wire()
        except BaseException:
            self.remove()
            raise

    def space(self, name):
        self.spaces.append(Netns(name))
        return self.spaces[-1]

    def wire(self):
        join(self.gen, "g0", self.pop, "p0")
        join(self.pop, "p1", self.sink, "s0")
        for space, devices in ((self.gen, ["g0"]), (self.pop, ["p0", "p1"]), (self.sink, ["s0"])):
            for dev in devices:
                space.run("ip", "link", "set", dev, "address", f"02:00:00:00:00:{MACS[dev]:02x}", "addrgenmode", "none")
        self.gen.address("g0", f"{GEN_IPV4}/24", f"{GEN}/64")
        self.pop.address("p0", f"{POP_IPV4}/24", f"{POP_ACCESS}/64")
        self.pop.address("p1", f"{POP_UPLINK}/64")
        self.sink.address("s0", f"{SINK}/64")
        self.gen.route("-6", f"{SINK}/64", "via", POP_ACCESS)
        self.sink.route("-6", "default", "via", POP_UPLINK)
        self.pop.run("ip", "route", "add", "198.19.0.0/16", "via", NOBODY_IPV4)
        self.pop.run("ip", "neigh", "add", NOBODY_IPV4, "lladdr", NOBODY_MAC, "nud", "permanent", "dev", "p0")
        self.pop.run("ip", "neigh", "add", NOBODY, "lladdr", NOBODY_MAC, "nud", "permanent", "dev", "p1")
        self.pop.sysctl(net__ipv6__conf__all__forwarding=1, net__ipv4__conf__all__rp_filter=0, net__ipv4__conf__p0__rp_filter=0)

    def feature(self, space, dev, name, on):
        space.run("ethtool", "-K", dev, name, "on" if on else "off")

    @contextlib.contextmanager
    def receive_merging(self):
        """p0 merges what arrives, as a device with generic receive offload does: packets of a flow
        wait for each other until one has PSH."""
        # the sender's device must not promise to cut large packets itself, or veth passes its
        # frames round the merging
        self.feature(self.gen, "g0", "tso", False)
        self.feature(self.pop, "p0", "gro", True)
        self.pop.run("sh", "-c", "echo 20000000 >/sys/class/net/p0/gro_flush_timeout")
        try:
            yield
        finally:
            self.pop.run("sh", "-c", "echo 0 >/sys/class/net/p0/gro_flush_timeout")
            self.feature(self.pop, "p0", "gro", False)
            self.feature(self.gen, "g0", "tso", True)

    @contextlib.contextmanager
    def without_udp_segmentation(self):
        """p0 as a device that cannot cut large UDP packets: the kernel does it for it, in popd's
        time."""
        self.feature(self.pop, "p0", "tx-udp-segmentation", False)
        try:
            yield
        finally:
            self.feature(self.pop, "p0", "tx-udp-segmentation", True)

    def remove(self):
        for space in self.spaces:
            space.remove()


class Stage:
    """Both chains, and a directory."""

    def __init__(self):
        self.parts = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            self.dir = tempfile.mkdtemp(prefix="popd-bench-", dir="/tmp")
            undo.callback(shutil.rmtree, self.dir, ignore_errors=True)
            self.chain = Chain("bench")
            undo.callback(self.chain.remove)
            self.reference_chain = Chain("reference")
            undo.callback(self.reference_chain.remove)
            self.parts = undo.pop_all()

    def remove(self):
        self.parts.close()

    @contextlib.contextmanager
    def settings_of(self, row):
        """popd's devices as the row wants them. The reference's stay as they are: it could make
        nothing of merged packets."""
        with contextlib.ExitStack() as settings:
            if row.gro:
                settings.enter_context(self.chain.receive_merging())
            if not row.uso:
                settings.enter_context(self.chain.without_udp_segmentation())
            yield


class Popd:
    """popd over a world of tunnels, with each worker on a processor of its own; without a database,
    from a snapshot."""

    def __init__(self, stage, world, workers, more=""):
        self.stage, self.world, self.workers = stage, world, workers
        self.conf = f"{stage.dir}/popd.conf"
        self.socket = f"{stage.dir}/popd.sock"
        keys = {"name": "bench01", "ipv4": POP_IPV4, "workers": workers, "max_tunnels": world.tunnels + 1, "tun": "bench0",
                "snapshot": f"{stage.dir}/snapshot", "control": self.socket, "log_level": "warn"}
        lines = [f"{k} = {v}" for k, v in keys.items()] + [line.strip() for line in more.split(";") if line.strip()]
        pathlib.Path(self.conf).write_text("[popd]\n" + "\n".join(lines) + f"\n[database]\nconninfo = host={stage.dir}/none dbname=none\n", encoding="ascii")
        self.daemon = Daemon(stage.chain.pop.command(program("popd"), "-c", self.conf), f"{stage.dir}/popd.log", self.status, seconds=60)
        self.load_seconds = None

    def __enter__(self):
        for old in pathlib.Path(self.stage.dir).glob("snapshot*"):
            old.unlink()
        subprocess.run([tool("snapshot"), f"{self.stage.dir}/snapshot", *map(str, (self.world.ayiya, self.world.static, self.world.active))], check=True)
        begun = time.monotonic()
        self.daemon.start()
        self.load_seconds = time.monotonic() - begun
        until(lambda: len(self.threads()) == self.workers, 10, "popd to have its workers and nothing else")
        os.sched_setaffinity(self.daemon.pid, {OTHER_CPU})
        for tid, cpu in zip(self.threads(), [WORKER_CPU, OTHER_CPU] if self.workers < 3 else range(self.workers)):
            os.sched_setaffinity(tid, {cpu})
        known = self.status()["tunnels"]
        assert known["configured"] == self.world.tunnels, f"popd knows {known} of {self.world}"
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self.daemon.signal(signal.SIGCONT)
        self.daemon.stop()
        self.stage.chain.pop.run("ip", "link", "del", "bench0", check=False)

    pid = property(lambda self: self.daemon.pid)

    def popctl(self, *words):
        done = subprocess.run([program("popctl"), "--socket", self.socket, "--json", *words], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def status(self):
        return self.popctl("status")

    def threads(self):
        """The workers: all threads but the first, which is the control thread."""
        return sorted(int(t) for t in os.listdir(f"/proc/{self.pid}/task") if int(t) != self.pid)

    def cpu_ns(self):
        """Nanoseconds that all of popd has run."""
        return sum(int(p.read_text().split()[0]) for p in pathlib.Path(f"/proc/{self.pid}/task").glob("*/schedstat"))

    def rss(self):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmRSS"))


class Reference:
    """The yardstick in popd's place, for the same packets."""

    def __init__(self, stage, protocol):
        self.stage, self.protocol = stage, protocol

    def __enter__(self):
        pop = self.stage.reference_chain.pop
        self.process = pop.popen(tool("reference"), self.protocol, "bench0", POP_IPV4, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", "the reference does not start"
        os.sched_setaffinity(self.process.pid, {WORKER_CPU})
        pop.run("ip", "link", "set", "bench0", "mtu", "1480", "txqueuelen", "8192", "up")
        pop.route("-6", "2001:db8:1000::/36", "dev", "bench0")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    pid = property(lambda self: self.process.pid)


def drain(stage, popd, reference, row, seconds, fill):
    """Runs one row; the drain tool's answer."""
    world = row.world
    first, tunnels, active = (0, world.ayiya, world.active) if "ayiya" in row.path else (world.ayiya, world.static, world.static)
    cpus = {"worker": f"{WORKER_CPU}", "other": f"{OTHER_CPU}", "both": f"{WORKER_CPU},{OTHER_CPU}"}[row.fill_from]
    options = {"path": row.path, "inner": row.inner, "run": row.run, "merged": int(row.merged), "push": int(row.gro), "tunnels": tunnels,
               "active": active, "first": first, "flows": row.flows, "fill": fill * row.workers, "whole": int(row.whole), "seconds": seconds, "watch-cpu": OTHER_CPU,
               "fill-cpus": cpus, "pid": popd.pid, "threads": ",".join(map(str, popd.threads())), "gen": stage.chain.gen.name,
               "sink": stage.chain.sink.name, "reference-fill": fill, "reference-pid": reference.pid,
               "reference-gen": stage.reference_chain.gen.name, "reference-sink": stage.reference_chain.sink.name}
    with stage.settings_of(row):
        done = subprocess.run([tool("drain"), *(str(w) for k, v in options.items() for w in (f"--{k}", v))], capture_output=True, text=True)
    assert done.returncode == 0, f"{row.name}: {done.stderr}"
    return json.loads(done.stdout)
