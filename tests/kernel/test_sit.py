"""The kernel's own 6in4 (sit) as a client, as on most routers of people: static and with heartbeats, and packets that stay merged on the
way, since client and PoP share a machine."""
import contextlib
import socket
import struct
import threading

import pytest

from support.netns import ping
from support.network import CLIENT_IPV4, HOST, POP_IPV4
from support.sockets import open_socket, udp_socket
from support.wait import until
from support.world import transfer

HEARTBEAT_PORT = 3740
SOL_UDP, UDP_SEGMENT = 17, 103


@pytest.fixture(scope="module")
def net(net, modules):
    """popd runs, knowingly beside sit: it has no tunnel in popd's namespace, and the errors that it would send are kept in."""
    modules("sit")
    net.pop.nft("table ip sit { chain out { type filter hook output priority 0; icmp type destination-unreachable icmp code port-unreachable drop\n }\n}\n")
    empty = f"{net.dir}/modules"
    open(empty, "w").close()
    net.popd.restart(modules=empty)
    yield net
    net.popd.stop()


@contextlib.contextmanager
def sit(net, tunnel):
    """The tunnel's client, as `ip tunnel` makes it."""
    net.client.run("ip", "link", "add", "six", "type", "sit", "remote", POP_IPV4, "local", CLIENT_IPV4, "ttl", "64")
    try:
        net.client.run("ip", "link", "set", "six", "up", "mtu", "1280")
        net.client.address("six", f"{tunnel.client}/64")
        net.client.run("ip", "-6", "route", "add", "default", "dev", "six")
        yield
    finally:
        net.client.run("ip", "link", "del", "six")


@contextlib.contextmanager
def beats(net, tunnel):
    """A heartbeat each second."""
    stop = threading.Event()

    def send():
        while not stop.wait(1):
            sock.sendto(tunnel.beat(), (POP_IPV4, HEARTBEAT_PORT))

    with udp_socket(net.client) as sock:
        sock.sendto(tunnel.beat(), (POP_IPV4, HEARTBEAT_PORT))
        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@pytest.fixture(params=["static", "heartbeat"])
def tunnel(net, request):
    made = (net.request("static", CLIENT_IPV4) if request.param == "static" else net.request("heartbeat")).known()
    with sit(net, made), beats(net, made) if request.param == "heartbeat" else contextlib.nullcontext():
        until(lambda: ping(net.client, HOST), 10, "the host to answer through the tunnel")
        yield made


def test_pings_are_answered_once_both_ways(net, tunnel):
    assert ping(net.client, HOST, count=3, size=1200)
    assert ping(net.host, tunnel.client, count=3, size=1200)


def test_tcp_both_ways(net, tunnel):
    transfer(net.client, net.host, HOST, 5_000_000)
    transfer(net.host, net.client, tunnel.client, 5_000_000)
    assert not any(drop["name"] == "inner-merged" for drop in tunnel.shown()["drops"])


def merged_drops(tunnel):
    return sum(drop["count"] for drop in tunnel.shown()["drops"] if drop["name"] == "inner-merged")


@pytest.mark.parametrize("size, count", [(1000, 2), (1000, 40), (1200, 53)])
def test_merged_datagrams_arrive_or_are_counted(net, tunnel, size, count):
    """UDP_SEGMENT: one call of the program, one packet as far as popd's socket."""
    datagrams = [struct.pack("!I", n) + bytes(size - 4) for n in range(count)]
    before, got = merged_drops(tunnel), []
    with open_socket(net.host, socket.AF_INET6, socket.SOCK_DGRAM, address=(HOST, 7009), timeout=0.5) as into, \
            open_socket(net.client, socket.AF_INET6, socket.SOCK_DGRAM) as out:
        into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        out.sendmsg([b"".join(datagrams)], [(SOL_UDP, UDP_SEGMENT, struct.pack("H", size))], 0, (HOST, 7009))

        def settled():
            with contextlib.suppress(TimeoutError):
                while True:
                    got.append(into.recv(70000))
            return len(got) == count or merged_drops(tunnel) == before + 1
        until(settled, 10, "the datagrams, or the drop")
    assert got in (datagrams, [])
