"""
Two workers, one order: the packets of a tunnel in one direction leave in the order in which they
came, each once, whichever worker gets them.
"""
import pathlib
import socket
import struct

import pytest

from support.network import HOST, POP_IPV4
from support.packets import ipv6, upper_checksum
from support.paths import slow
from support.sockets import open_socket, udp_socket
from support.world import World

BURST, BURSTS, PORTS = 64, 60, 97
ADDRESSES = [f"192.0.2.{n}" for n in range(10, 26)]


@pytest.fixture(scope="module")
def net():
    with World() as made:
        made.client.address("c0", *(f"{address}/24" for address in ADDRESSES))
        made.popd.restart(workers=2, tun_steer="yes")  # these are the subject
        yield made


def datagram(source, destination, port, number):
    body = struct.pack("!HHHHI", port, 7777, 12, 0, number)
    body = body[:6] + struct.pack("!H", upper_checksum(source, destination, 17, body)) + body[8:]
    return ipv6(source, destination, 17, body)


def number_in(packet):
    """The number in a datagram to our port; None for anything else, popd's own pings among it."""
    if len(packet) == 52 and packet[6] == 17 and packet[42:44] == struct.pack("!H", 7777):
        return struct.unpack("!I", packet[48:52])[0]
    return None


def drain(sock, seconds=1):
    """All packets, until none has come for so long."""
    sock.settimeout(seconds)
    while True:
        try:
            yield sock.recv(70000)
        except TimeoutError:
            return


def numbers(tunnel, datagrams):
    found = (number_in(tunnel.open_ayiya(data)) for data in datagrams)
    return [number for number in found if number is not None]


def worker_seconds(pid):
    """The processor time of each thread but the control thread."""
    tasks = sorted((task for task in pathlib.Path(f"/proc/{pid}/task").iterdir() if int(task.name) != pid), key=lambda task: int(task.name))
    return [int((task / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9 for task in tasks]


def test_flows_to_one_tunnel_keep_their_order_among_each_other(net):
    assert net.popctl("status")["workers"] == 2
    assert net.popctl("status")["offloads"]["tun_steer"] == "on"
    tunnel = net.request("ayiya").known()
    senders = [open_socket(net.host, socket.AF_INET6, socket.SOCK_DGRAM) for _ in range(PORTS)]
    with udp_socket(net.client) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.connect((POP_IPV4, 5072))
        tunnel.up_by_ayiya(sock)
        got = []
        for burst in range(BURSTS):
            for i in range(BURST):
                number = burst * BURST + i
                senders[number % PORTS].sendto(struct.pack("!I", number), (tunnel.client, 7777))
            got += numbers(tunnel, drain(sock, 0.02))
        got += numbers(tunnel, drain(sock, slow(1)))
    for sender in senders:
        sender.close()
    assert got == list(range(BURST * BURSTS))


def test_protocol_41_is_received_by_all_workers_each_packet_once_and_in_order(net):
    tunnels = [net.request("static", address) for address in ADDRESSES]
    for tunnel in tunnels:
        tunnel.known()
    host = open_socket(net.host, socket.AF_INET6, socket.SOCK_DGRAM, address=(HOST, 7777))
    host.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    got = {tunnel.client: [] for tunnel in tunnels}
    before = worker_seconds(net.popd.pid)

    def take(seconds):
        host.settimeout(seconds)
        while True:
            try:
                data, source = host.recvfrom(2000)
            except TimeoutError:
                return
            got[source[0]].append(struct.unpack("!I", data)[0])

    clients = [open_socket(net.client, socket.AF_INET, socket.SOCK_RAW, 41, address=(address, 0)) for address in ADDRESSES]
    for number in range(200):
        for tunnel, sock in zip(tunnels, clients):
            sock.sendto(datagram(tunnel.client, HOST, 1000 + number % PORTS, number), (POP_IPV4, 0))
        take(0.005)
    take(slow(1))
    for sock in (*clients, host):
        sock.close()
    assert got == {tunnel.client: list(range(200)) for tunnel in tunnels}
    assert sum(1 for was, now in zip(before, worker_seconds(net.popd.pid)) if now > was) >= 2, "only one worker has done anything"
