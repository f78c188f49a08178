#!/usr/bin/python3
"""A tunnel client for the tests: a TUN on one side, AYIYA or protocol 41 (with or without
heartbeats) on the other.

Prints "up" when it forwards. SIGUSR1 sends a beat now. Ends at SIGTERM, printing its counters as
one line of JSON.
"""
import argparse
import collections
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import ayiya  # noqa: E402

TUN = "tun0"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000


def tun_open(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def ip(*args):
    subprocess.run(["ip", *args], check=True)


class Ayiya:
    def __init__(self, o):
        self.o = o
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        if o.source:
            self.sock.bind((o.source, 0))
        self.sock.connect((o.pop, 5072))
        self.sock.setblocking(False)

    def send(self, packet):
        self.sock.send(ayiya.build(self.o.client, self.o.secret, packet, method=self.o.method))

    def beat(self):
        self.sock.send(ayiya.build(self.o.client, self.o.secret, b"", ayiya.NOOP, method=self.o.method))

    def receive(self):
        opcode, _, body, method = ayiya.parse(self.sock.recv(65535), self.o.pop_identity, self.o.secret)
        if opcode != ayiya.FORWARD or method != self.o.method:
            raise ayiya.Refused(f"opcode {opcode}, {method}")
        return body


class Protocol41:
    def __init__(self, o):
        self.o = o
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, 41)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        if o.source:
            self.sock.bind((o.source, 0))
        self.sock.setblocking(False)

    def send(self, packet):
        self.sock.sendto(packet, (self.o.pop, 0))

    def beat(self):
        if self.o.type != "heartbeat":
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:  # a fresh port every time, as the stock client
            if self.o.source:
                s.bind((self.o.source, 0))
            s.sendto(ayiya.beat(self.o.client, self.o.secret), (self.o.pop, 3740))

    def receive(self):
        packet, peer = self.sock.recvfrom(65535)
        if peer[0] != self.o.pop:
            raise ayiya.Refused(f"protocol 41 from {peer[0]}")
        return packet[(packet[0] & 15) * 4:]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--type", choices=("ayiya", "heartbeat", "static"), required=True)
    p.add_argument("--pop", required=True, help="the PoP's IPv4")
    p.add_argument("--client", required=True, help="<tunnel>::2")
    p.add_argument("--pop-identity", required=True, help="<tunnel>::1")
    p.add_argument("--secret", required=True)
    p.add_argument("--method", default="sha1")
    p.add_argument("--source")
    p.add_argument("--mtu", default="1280")
    p.add_argument("--beat", type=float, default=60.0)
    o = p.parse_args()

    tun = tun_open(TUN)
    ip("link", "set", TUN, "mtu", o.mtu, "txqueuelen", "4096", "up")
    ip("addr", "add", f"{o.client}/64", "dev", TUN)
    ip("-6", "route", "add", "default", "via", o.pop_identity, "dev", TUN)
    link = Ayiya(o) if o.type == "ayiya" else Protocol41(o)
    counts = collections.Counter()
    running, beats_due = [True], []
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    signal.signal(signal.SIGUSR1, lambda *_: beats_due.append(True))
    next_beat = 0.0
    while running:
        if time.monotonic() >= next_beat or beats_due:
            beats_due.clear()
            try:
                link.beat()
                counts["beats"] += 1
            except OSError as error:
                counts[f"beat {error.strerror}"] += 1
            if next_beat == 0.0:
                print("up", flush=True)
            next_beat = time.monotonic() + o.beat
        ready, _, _ = select.select([tun, link.sock], [], [], 0.2)
        if tun in ready:
            for _ in range(64):
                try:
                    packet = os.read(tun, 65535)
                except BlockingIOError:
                    break
                if packet[0] >> 4 == 6:
                    try:
                        link.send(packet)
                        counts["sent"] += 1
                    except OSError as error:
                        counts[f"send {error.strerror}"] += 1
        if link.sock in ready:
            for _ in range(64):
                try:
                    packet = link.receive()
                except BlockingIOError:
                    break
                except OSError as error:
                    counts[f"receive {error.strerror}"] += 1
                    break
                except ayiya.Refused as refused:
                    counts[f"refused {refused}"] += 1
                    continue
                os.write(tun, packet)
                counts["received"] += 1
    print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main()
