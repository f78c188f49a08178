"""
Where a tunnel's packets go when its client comes from elsewhere, with a clock of its own: a client that answers when it is asked has its
tunnel back in one round trip, and whoever sends what another has sent gets nothing. A client's clock stands still in most of these tests:
then nothing it sends is ever newer, and what helps is not the next second.
"""
import socket
import time

import pytest

from support.network import CLIENT2_IPV4, CLIENT_IPV4, HOST, OFFICE
from support.packets import echo
from support.paths import slow
from support.roaming_client import AyiyaClient, HeartbeatClient
from support.sockets import open_socket
from support.wait import until

SOON = 5  # seconds for one round trip on a busy machine; what is not repaired takes 30 or more, or for ever


@pytest.fixture(scope="module")
def host(net):
    """A UDP socket on the Internet, which sends to the clients."""
    with open_socket(net.host, socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        yield sock


@pytest.fixture(scope="module")
def at_host(net):
    """What clients send to the Internet: a raw ICMPv6 socket."""
    with open_socket(net.host, socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6, timeout=0) as sock:
        yield sock


def delivered(sock, data):
    """How many echo requests with `data` have come."""
    count = 0
    while True:
        try:
            count += data in sock.recv(65535)
        except BlockingIOError:
            return count


def settled(client, host):
    """The client has its tunnel: it is its endpoint, has answered, and hears what comes from the Internet."""
    client.beat()
    until(lambda: client.tunnel.shown()["endpoint"] == client.endpoint, slow(SOON), "the endpoint to be learnt")
    if client.answers:
        until(lambda: client.tunnel.shown()["endpoint_answered"], slow(SOON), "the endpoint to answer")
    until(lambda: client.hears(host), slow(SOON), "the client to hear")
    return client


def comes_back(client, host, what):
    """One packet of the client is enough for it to hear again."""
    start = time.monotonic()
    client.beat()
    until(lambda: client.hears(host), slow(SOON), what, step=0.01)
    print(f"{what}: {time.monotonic() - start:.3f} s")
    assert client.tunnel.shown()["endpoint"] == client.endpoint
    until(lambda: client.tunnel.shown()["endpoint_answered"], slow(SOON), "the endpoint to answer")


def test_a_client_that_is_restarted_within_a_second(net, popd, host):
    tunnel = net.request("ayiya").known()
    with AyiyaClient(tunnel, net.client, CLIENT_IPV4) as first:
        epoch = first.epoch = first.now()
        settled(first, host)
    with AyiyaClient(tunnel, net.client, CLIENT_IPV4) as second:
        second.epoch = epoch
        comes_back(second, host, "the restarted client to hear")


@pytest.mark.parametrize("seconds", [4, 30, 60])
def test_a_client_that_is_restarted_with_its_clock_set_back(net, popd, host, seconds):
    tunnel = net.request("ayiya").known()
    with AyiyaClient(tunnel, net.client, CLIENT_IPV4) as first:
        epoch = first.epoch = first.now()
        settled(first, host)
    with AyiyaClient(tunnel, net.client, CLIENT_IPV4) as second:
        second.epoch = epoch - seconds
        comes_back(second, host, f"the client {seconds} s back to hear")


@pytest.mark.parametrize("seconds", [4, 30, 60])
def test_a_clock_that_is_set_back_under_a_running_client(net, popd, host, at_host, seconds):
    tunnel = net.request("ayiya").known()
    with AyiyaClient(tunnel, net.client, CLIENT_IPV4) as client:
        epoch = client.epoch = client.now()
        settled(client, host)
        client.epoch = epoch - seconds
        data = b"%d seconds back" % seconds
        client.beat()

        def is_delivered():
            client.send(echo(tunnel.client, HOST, data=data))
            return delivered(at_host, data)
        until(is_delivered, slow(SOON), "its packets to be delivered")


def test_a_nat_that_maps_anew_in_mid_flow(net, popd, host):
    tunnel = net.request("ayiya").known()
    try:
        with AyiyaClient(tunnel, net.home, "192.168.77.2") as client:
            client.epoch = client.now()
            client.beat()
            until(lambda: tunnel.shown()["endpoint_answered"], slow(SOON), "the client to answer")
            until(lambda: client.hears(host), slow(SOON), "the client to hear")
            before = tunnel.shown()["endpoint"]
            net.nat(30000, 39999)
            client.inbox.clear()
            client.beat()
            until(lambda: client.hears(host), slow(SOON), "the client to hear behind its new mapping", step=0.01)
            assert tunnel.shown()["endpoint"] != before
    finally:
        net.nat(10000, 19999)


def test_a_client_that_answers_no_pings_moves_when_its_time_goes_on(net, popd, host):
    tunnel = net.request("ayiya").known()
    with AyiyaClient(tunnel, net.client, CLIENT_IPV4, answers=False) as first:
        epoch = first.epoch = first.now()
        settled(first, host)
    with AyiyaClient(tunnel, net.client, CLIENT_IPV4, answers=False) as second:
        second.epoch = epoch
        second.beat()
        until(lambda: second.asked, slow(SOON), "it to be asked")
        assert tunnel.shown()["endpoint"] != second.endpoint
        second.epoch = epoch + 1
        settled(second, host)
        assert not tunnel.shown()["endpoint_answered"]


def test_an_address_that_does_not_answer_is_asked_three_times(net, popd, host):
    tunnel = net.request("ayiya").known()
    with AyiyaClient(tunnel, net.client, CLIENT_IPV4) as owner, AyiyaClient(tunnel, net.office, OFFICE, answers=False) as thief:
        settled(owner, host)
        thief.put(owner.sent[0])
        until(lambda: thief.asked == 3, slow(10), "the third time")
        assert tunnel.shown()["endpoint"] == owner.endpoint


def test_two_clients_of_one_tunnel_both_hear_and_are_told(net, popd, host):
    tunnel = net.request("ayiya").known()
    with AyiyaClient(tunnel, net.client, CLIENT_IPV4) as one, AyiyaClient(tunnel, net.office, OFFICE) as other:
        settled(one, host)

        def both_are_told():
            for client in (one, other):
                client.beat()
            return tunnel.shown()["two_clients"]
        told = until(both_are_told, slow(20), "the two clients to be told", step=0.3)
        assert set(told["endpoints"]) == {one.endpoint, other.endpoint}
        for client in (other, one):
            client.inbox.clear()

            def it_hears():
                client.beat()
                return client.hears(host)
            until(it_hears, slow(SOON), "each to hear when it has spoken last")
        sentence = f"two clients use this tunnel, at {told['endpoints'][0]} and at {told['endpoints'][1]}"
        assert told["sentence"] == sentence
        assert "two clients use this tunnel" in net.popctl("tunnel", "errors", tunnel.name, text=True)
        assert "two clients use this tunnel" in net.popctl("tunnel", "show", tunnel.name, text=True)
        lines = [line for line in popd.log().splitlines() if f"{tunnel.name}: two clients use this tunnel" in line]
        assert len(lines) == 1 and one.endpoint in lines[0] and other.endpoint in lines[0]


def test_a_copied_packet_that_comes_first(net, popd, host):
    tunnel = net.request("ayiya").known()
    with AyiyaClient(tunnel, net.client, CLIENT_IPV4) as owner, AyiyaClient(tunnel, net.office, OFFICE, answers=False) as thief:
        epoch = owner.epoch = owner.now()
        settled(owner, host)
        for second in (1, 2, 3):
            owner.epoch, owner.inbox = epoch + second, set()
            original = tunnel.ayiya(b"", 0, 59, epoch=owner.epoch)
            thief.put(original)
            until(lambda: tunnel.shown()["endpoint"] == thief.endpoint, slow(SOON), "the copy to be quicker")
            owner.put(original)
            until(lambda: tunnel.shown()["endpoint"] == owner.endpoint, slow(SOON), "the tunnel to be taken back")
            until(lambda: owner.hears(host), slow(SOON), "the owner to hear")


def test_a_copied_beat_that_comes_first(net, popd, host):
    tunnel = net.request("heartbeat").known()
    with HeartbeatClient(tunnel, net.client, CLIENT_IPV4) as owner, HeartbeatClient(tunnel, net.office, OFFICE, answers=False) as thief:
        epoch = owner.epoch = owner.now()
        settled(owner, host)
        owner.epoch, owner.inbox = epoch + 1, set()
        original = tunnel.beat(when=owner.epoch)
        thief.put(original)
        until(lambda: tunnel.shown()["endpoint"] == thief.endpoint, slow(SOON), "the copy to be quicker")
        owner.put(original)
        until(lambda: tunnel.shown()["endpoint"] == owner.endpoint, slow(SOON), "the tunnel to be taken back")
        until(lambda: owner.hears(host), slow(SOON), "the owner to hear")


def test_a_heartbeat_client_with_its_clock_set_back_moves_with_its_next_newer_beat(net, popd, host):
    tunnel = net.request("heartbeat").known()
    with HeartbeatClient(tunnel, net.client, CLIENT_IPV4) as first:
        epoch = first.epoch = first.now()
        settled(first, host)
    with HeartbeatClient(tunnel, net.client, CLIENT2_IPV4) as second:
        refused = net.popctl("counters")
        second.epoch = epoch - 30
        second.beat()
        until(lambda: net.drops("replay-move") > drops(refused, "replay-move"), slow(SOON), "the old beat to be refused")
        assert tunnel.shown()["endpoint"] == CLIENT_IPV4 and not second.asked
        second.epoch = epoch + 1
        comes_back(second, host, "the client to hear after a newer beat")


def drops(counters, name):
    return next(row["count"] for row in counters["drops"] if row["name"] == name)


def test_what_was_recorded_before_a_crash_moves_nothing_and_the_client_is_let_in(net, popd, host, at_host):
    tunnel = net.request("ayiya").known()
    beating = net.request("heartbeat").known()
    data = b"before the crash"
    with AyiyaClient(tunnel, net.client, CLIENT_IPV4) as owner, HeartbeatClient(beating, net.client, CLIENT2_IPV4) as other:
        start = int(time.time())
        owner.epoch = other.epoch = start - 12
        settled(owner, host)
        settled(other, host)
        # what moves no endpoint reaches the journal every ten seconds only: popd may not remember these
        for epoch in range(start - 11, start + 1):
            owner.epoch = other.epoch = epoch
            owner.send(echo(tunnel.client, HOST, data=data))
            other.beat()
        until(lambda: delivered(at_host, data), slow(SOON), "the packets to be delivered")
        recorded, beats = list(owner.sent), list(other.sent)
        popd.kill()
        popd.start()
        popd.loaded()
        assert tunnel.shown()["endpoint"] == owner.endpoint and beating.shown()["endpoint"] == other.endpoint
        delivered(at_host, data)
        before = net.popctl("status")["endpoint_moves"]
        with AyiyaClient(tunnel, net.office, OFFICE, answers=False) as thief, HeartbeatClient(beating, net.office, OFFICE, answers=False) as robber:
            for datagram in recorded:
                thief.put(datagram)
            for line in beats:
                robber.put(line)
            until(lambda: net.drops("replay-move") >= len(recorded) + len(beats), slow(SOON), "all replays to be refused")
        assert net.popctl("status")["endpoint_moves"] == before
        assert delivered(at_host, data) == 0
        assert tunnel.shown()["endpoint"] == owner.endpoint and beating.shown()["endpoint"] == other.endpoint
    with AyiyaClient(tunnel, net.client, CLIENT_IPV4) as late:
        late.epoch = start - 60
        comes_back(late, host, "a slow client to hear after popd's start")
