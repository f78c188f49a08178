"""A tunnel as its client knows it, the datagrams of that client, and the client itself as a
process."""
import json
import signal
import socket
import subprocess
import sys
import time

from . import ayiya
from .network import HOST, POP_IPV4
from .packets import echo, is_echo_reply, packed, reply_to
from .paths import ROOT, arguments, slow
from .sockets import receive
from .wait import until


class Tunnel:
    """The broker's record of a tunnel: number, type, addresses, secret."""

    def __init__(self, world, number, kind, client, pop, secret, mtu=1280):
        self.world, self.number, self.kind, self.secret, self.mtu = world, number, kind, secret, mtu
        self.client, self.pop, self.pop_ipv4 = client, pop, POP_IPV4
        self.name = f"T{number}"

    @classmethod
    def of_prefix(cls, world, number, kind, prefix, secret):
        """The tunnel of a /64, from the database's columns."""
        client, pop = (socket.inet_ntop(socket.AF_INET6, packed(prefix)[:8] + bytes(7) + bytes([end])) for end in (2, 1))
        return cls(world, number, kind, client, pop, secret)

    @classmethod
    def of_record(cls, world, record):
        """As TIC says, kept in `record`."""
        kind = {"ayiya": "ayiya", "6in4-heartbeat": "heartbeat", "6in4-static": "static"}[record["Type"]]
        made = cls(world, int(record["TunnelId"][1:]), kind, record["IPv6 Endpoint"], record["IPv6 POP"], record["Password"], record["Tunnel MTU"])
        made.pop_ipv4, made.record = record["IPv4 POP"], record
        return made

    # ---- what popd says of it

    def shown(self):
        return self.world.popctl("tunnel", "show", self.name)

    def is_known(self):
        return self.world.popctl("tunnel", "show", self.name, check=False).returncode == 0

    def known(self, seconds=10):
        """Waits until popd has it."""
        until(self.is_known, slow(seconds), f"popd to know {self.name}")
        return self

    # ---- its client's datagrams

    def ayiya(self, payload, opcode=ayiya.FORWARD, proto=ayiya.IPV6, epoch=None, secret=None, algorithm="sha1"):
        return ayiya.build(self.client, secret or self.secret, payload, opcode, epoch, algorithm, proto)

    def is_mine(self, datagram):
        """False for what comes through another tunnel that the same socket is the end of."""
        return datagram[8:24] == socket.inet_pton(socket.AF_INET6, self.pop)

    def open_ayiya(self, datagram):
        """The payload of what the PoP sent, after checking every field."""
        opcode, following, payload, _ = ayiya.parse(datagram, self.pop, self.secret)
        assert (opcode, following) == (ayiya.FORWARD, ayiya.IPV6)
        assert -3 < time.time() - int.from_bytes(datagram[4:8], "big") < 30  # it may have lain in the socket for a while
        return payload

    def beat(self, address="sender", when=None, secret=None):
        return ayiya.beat(self.client, secret or self.secret, address, when)

    def up_by_ayiya(self, sock):
        """Sends a no-op, waits until popd says that the tunnel is up, and answers when popd asks the new address."""
        sock.sendto(self.ayiya(b"", ayiya.NOOP, ayiya.NONE), (POP_IPV4, 5072))
        until(lambda: self.shown()["state"] == "up", slow(3), f"{self.name} to be up")
        if not self.shown()["endpoint_answered"]:
            self.answer(sock)

    def answer(self, sock):
        """Does what the client's host does with the next echo request to it."""
        asked = receive(sock, lambda d: self.is_mine(d) and self.open_ayiya(d)[40] == 128, 1)
        if asked:
            sock.sendto(self.ayiya(reply_to(self.open_ayiya(asked))), (POP_IPV4, 5072))
            until(lambda: self.shown()["endpoint_answered"], slow(3), f"{self.name}'s answer to be taken")

    def exchange(self, sock, destination=None, ident=1, sequence=1, algorithm="sha1", **more):
        """An echo request by AYIYA, which is answered; returns the answer's datagram."""
        destination = destination or HOST
        packet = echo(self.client, destination, ident, sequence, **more)
        sock.sendto(self.ayiya(packet, algorithm=algorithm), (POP_IPV4, 5072))
        answer = receive(sock, lambda d: self.is_mine(d) and is_echo_reply(self.open_ayiya(d), destination, ident, sequence))
        assert answer, f"echo {ident}/{sequence} by {self.name} was not answered"
        return answer


class TunnelClient:
    """tunnel_client.py as a process in a namespace: a TUN with the tunnel's address and the default
    route."""

    def __init__(self, tunnel, space, source=None, **options):
        self.tunnel, self.space, self.address = tunnel, space, tunnel.client
        options = {"type": tunnel.kind, "pop": tunnel.pop_ipv4, "client": tunnel.client, "pop_identity": tunnel.pop, "secret": tunnel.secret,
                   "mtu": tunnel.mtu, **({"source": source} if source else {}), **options}
        command = space.command(sys.executable, str(ROOT / "tests/support/tunnel_client.py"), *arguments(options))
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "up\n", "the tunnel client did not come up"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def beat(self):
        self.process.send_signal(signal.SIGUSR1)

    def stop(self):
        """Ends the client; returns what it counted."""
        if self.process.poll() is not None:
            return {}
        self.process.terminate()
        out, _ = self.process.communicate(timeout=10)
        return json.loads(out.splitlines()[-1]) if out.strip() else {}
