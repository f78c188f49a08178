#!/usr/bin/python3
"""Steady numbered traffic through tunnels, both ways; every packet is accounted for.

    flows.py DESCRIPTION   a JSON file: {"rate": packets a second of each flow and direction, "pop": IPv4, "host": IPv6,
                           "client_space", "host_space": names of namespaces,
                           "tunnels": [{"kind", "client", "pop_identity", "secret", "source": IPv4}]}

Prints "up" when it sends, ends a while after SIGTERM (when every packet has had time to arrive)
and prints its counts as JSON: for each tunnel and direction the packets sent and received, and
what was wrong with them (twice, out of order, damaged).
"""
import json
import os
import select
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import ayiya  # noqa: E402
from support.netns import setns  # noqa: E402
from support.packets import fold, packed, sum16  # noqa: E402

PORT, PAYLOAD, DRAIN, BEAT = 7000, 64, 1.5, 20
SO_RCVBUFFORCE, RECEIVE_BUFFER = 33, 8 << 20
IPV6_HEADER, UDP_HEADER = 40, 8


class Direction:
    """What was sent one way and what of it arrived."""

    def __init__(self):
        self.sent = self.received = self.newest = 0
        self.faults = {}

    def next(self):
        self.sent += 1
        return struct.pack("!Q", self.sent) + bytes(PAYLOAD - 8)

    def fault(self, kind):
        self.faults[kind] = self.faults.get(kind, 0) + 1

    def receive(self, payload):
        number = struct.unpack("!Q", payload[:8])[0] if len(payload) == PAYLOAD else 0
        if number == self.newest + 1:
            self.newest = number
        elif 0 < number <= self.newest:
            self.fault("twice or late")
        elif number > self.newest:
            self.fault(f"a gap of {number - self.newest - 1} after {self.newest}")
            self.newest = number
        else:
            self.fault("damaged")
        self.received += 1

    def counts(self):
        return {"sent": self.sent, "received": self.received, "faults": self.faults}


class Flow:
    """One tunnel's client, and its two directions."""

    def __init__(self, number, tunnel, conf):
        self.number, self.pop = number, conf["pop"]
        self.kind, self.client, self.identity, self.secret = (tunnel[k] for k in ("kind", "client", "pop_identity", "secret"))
        self.source, self.host = tunnel["source"], conf["host"]
        self.up, self.down = Direction(), Direction()
        here, there = (packed(a) for a in (self.client, self.host))
        length = UDP_HEADER + PAYLOAD
        self.header = struct.pack("!IHBB", 6 << 28, length, 17, 64) + here + there
        self.ports = struct.pack("!HHH", PORT + number, PORT, length)
        self.base = sum16(here + there) + 17 + length + sum16(self.ports)
        self.expected = there + here

    def open(self):
        kind = (socket.SOCK_DGRAM, 0) if self.kind == "ayiya" else (socket.SOCK_RAW, 41)
        sock = socket.socket(socket.AF_INET, *kind)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        sock.bind((self.source, 0))
        sock.setblocking(False)
        if self.kind == "ayiya":
            sock.connect((self.pop, 5072))
        return sock

    def send_up(self):
        payload = self.up.next()
        check = ~fold(self.base + sum16(payload)) & 0xFFFF or 0xFFFF
        packet = self.header + self.ports + struct.pack("!H", check) + payload
        if self.kind == "ayiya":
            self.sock.send(ayiya.build(self.client, self.secret, packet))
        else:
            self.sock.sendto(packet, (self.pop, 0))

    def beat(self):
        """A heartbeat, from a fresh port every time, as the stock client."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((self.source, 0))
            s.sendto(ayiya.beat(self.client, self.secret), (self.pop, 3740))

    def receive(self):
        """The next inner packet."""
        data = self.sock.recv(2048)
        if self.kind != "ayiya":
            return data[(data[0] & 15) * 4:]
        return ayiya.parse(data, self.identity, self.secret)[2]


class Traffic:
    def __init__(self, conf):
        self.rate = conf["rate"]
        self.flows = [Flow(i + 1, t, conf) for i, t in enumerate(conf["tunnels"])]
        self.by_client = {packed(f.client): f for f in self.flows}
        setns(f"/run/netns/{conf['host_space']}")
        self.host = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.host.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        self.host.bind((conf["host"], PORT))
        self.host.setblocking(False)
        setns(f"/run/netns/{conf['client_space']}")  # and here this process stays, for the beats
        # Every raw socket of an address gets all its protocol 41: one socket for each address,
        # whatever tunnels it has.
        raw = {}
        for f in self.flows:
            f.sock = raw.get(f.source) if f.kind != "ayiya" else None
            f.sock = f.sock or f.open()
            if f.kind != "ayiya":
                raw[f.source] = f.sock
            if f.kind == "heartbeat":
                f.beat()
        self.poll = select.epoll()
        self.readers = {self.host.fileno(): self.host_ready}
        for f in self.flows:
            self.readers.setdefault(f.sock.fileno(), lambda flow=f: self.client_ready(flow))
        for fd in self.readers:
            self.poll.register(fd, select.EPOLLIN)

    def host_ready(self):
        while True:
            try:
                data, peer = self.host.recvfrom(2048)
            except BlockingIOError:
                return
            flow = self.by_client.get(packed(peer[0]))
            if flow:
                flow.up.receive(data)

    def client_ready(self, flow):
        while True:
            try:
                inner = flow.receive()
            except BlockingIOError:
                return
            except ayiya.Refused as refused:
                flow.down.fault(str(refused))
                continue
            # Pings from <tunnel>::1 are popd's own.
            owner = self.by_client.get(inner[24:40])
            if owner and inner[6] == 17 and inner[8:40] == owner.expected:
                owner.down.receive(inner[IPV6_HEADER + UDP_HEADER:])

    def read(self, until):
        while True:
            left = until - time.monotonic()
            for fd, _ in self.poll.poll(max(left, 0)):
                self.readers[fd]()
            if left <= 0:
                return

    def send_all(self):
        for f in self.flows:
            f.send_up()
            self.host.sendto(f.down.next(), (f.client, PORT + f.number))

    def run(self, running):
        """Never makes up for lost time: a burst could overrun a queue that is not under test."""
        step = 1 / self.rate
        next_send = next_beat = time.monotonic()
        while running:
            now = time.monotonic()
            if now >= next_beat:
                for f in self.flows:
                    if f.kind == "heartbeat":
                        f.beat()
                next_beat = now + BEAT
            self.send_all()
            next_send = max(next_send + step, now)
            self.read(next_send)
        self.read(time.monotonic() + DRAIN)


def main():
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    with open(sys.argv[1], encoding="ascii") as f:
        traffic = Traffic(json.load(f))
    traffic.read(time.monotonic() + 0.3)  # the beats arrive before the first packet for their clients
    for flow in traffic.flows:
        if flow.kind == "ayiya":
            flow.sock.send(ayiya.build(flow.client, flow.secret, b"", ayiya.NOOP))
    traffic.read(time.monotonic() + 0.3)
    print("up", flush=True)
    traffic.run(running)
    print(json.dumps([{"client": f.client, "up": f.up.counts(), "down": f.down.counts()} for f in traffic.flows]), flush=True)


if __name__ == "__main__":
    main()
