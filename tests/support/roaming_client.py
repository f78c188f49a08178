"""
A tunnel's client without an interface, for tests of where a tunnel's packets go: a socket in a namespace, a clock that the test sets, and a
thread that does what the client's host does: it answers echo requests to <tunnel>::2 (or not), and keeps the payloads of all UDP that comes.
"""
import socket
import threading
import time

from . import ayiya
from .network import POP_IPV4
from .packets import reply_to
from .sockets import open_socket

ECHO_REQUEST, ICMPV6, UDP = 128, 58, 17


class RoamingClient:
    def __init__(self, tunnel, space, source, port=0, clock=0, answers=True):
        """`clock`: how many seconds it is ahead of ours; `epoch`, when set, is its clock standing still."""
        self.tunnel, self.clock, self.epoch, self.answers = tunnel, clock, None, answers
        self.inbox, self.asked, self.sent = set(), 0, []
        self.sock = self.open(space, source, port)
        self.running = True
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.running:
            self.running = False
            self.thread.join()
            self.sock.close()

    def now(self):
        return int(time.time()) + self.clock if self.epoch is None else self.epoch

    def listen(self):
        while self.running:
            try:
                packet = self.unwrap(*self.sock.recvfrom(70000))
            except (TimeoutError, ConnectionError, ayiya.Refused):
                continue
            if packet[6] == ICMPV6 and packet[40] == ECHO_REQUEST:
                self.asked += 1
                if self.answers:
                    self.send(reply_to(packet))
            elif packet[6] == UDP:
                self.inbox.add(packet[48:])

    def hears(self, host):
        """Sends a datagram from `host` (a UDP socket there) to the client; true when one of these has come."""
        self.number = getattr(self, "number", 0) + 1
        payload = b"%s %d" % (self.mark(), self.number)
        host.sendto(payload, (self.tunnel.client, 9))
        return any(seen.startswith(self.mark()) for seen in self.inbox)

    def mark(self):
        return b"for %d" % id(self)


class AyiyaClient(RoamingClient):
    def open(self, space, source, port):
        return open_socket(space, socket.AF_INET, socket.SOCK_DGRAM, address=(source, port), timeout=0.05)

    @property
    def endpoint(self):
        return "%s:%d" % self.sock.getsockname()

    def unwrap(self, datagram, _):
        opcode, _, packet, _ = ayiya.parse(datagram, self.tunnel.pop, self.tunnel.secret)
        if opcode != ayiya.FORWARD:
            raise ayiya.Refused(f"opcode {opcode}")
        return packet

    def send(self, packet):
        self.put(self.tunnel.ayiya(packet, epoch=self.now()))

    def beat(self):
        self.put(self.tunnel.ayiya(b"", ayiya.NOOP, ayiya.NONE, epoch=self.now()))

    def put(self, datagram):
        """Sends any datagram from here."""
        self.sent.append(datagram)
        self.sock.sendto(datagram, (POP_IPV4, 5072))


class HeartbeatClient(RoamingClient):
    def open(self, space, source, _):
        self.space, self.endpoint = space, source
        return open_socket(space, socket.AF_INET, socket.SOCK_RAW, 41, address=(source, 0), timeout=0.05)

    def unwrap(self, packet, peer):
        if peer[0] != POP_IPV4:
            raise ayiya.Refused(f"protocol 41 from {peer[0]}")
        return packet[(packet[0] & 15) * 4:]

    def send(self, packet):
        self.sock.sendto(packet, (POP_IPV4, 0))

    def beat(self):
        self.put(self.tunnel.beat(when=self.now()))

    def put(self, line):
        """From a fresh port every time, as the stock client."""
        self.sent.append(line)
        with open_socket(self.space, socket.AF_INET, socket.SOCK_DGRAM, address=(self.endpoint, 0)) as sock:
            sock.sendto(line, (POP_IPV4, 3740))
