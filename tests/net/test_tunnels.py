"""A person at home gets IPv6: TIC, then each tunnel type, ping and TCP both ways, through what homes have between them and us."""
import struct
import time

import pytest

from support.database import POP
from support.netns import ping
from support.network import HOST, OFFICE, OFFICE2, POP_IPV4
from support.packets import echo, fold, ipv4, ipv6, upper_checksum
from support.sockets import raw41_socket, receive, send_ipv4
from support.wait import until
from support.world import transfer

TEN_MB = 10_000_000


def test_tic_tells_a_client_behind_nat_all_it_needs(clients):
    tunnel = clients.request_by_tic("ayiya")
    tic = clients.ticd.tic(clients.home)
    assert "Demo User" in tic.login("demo", clients.ticd.SECRET)
    assert [tunnel.name, tunnel.client, "ayiya", POP] in tic.tunnels()
    shown = tic.tunnel(tunnel.name.lower())
    tic.quit()
    assert shown == tunnel.record
    assert shown["Type"] == "ayiya" and shown["IPv4 Endpoint"] == "ayiya" and shown["IPv4 POP"] == POP_IPV4
    assert shown["Heartbeat_Interval"] == "60" and shown["UserState"] == shown["AdminState"] == "enabled"
    assert len(shown["Password"]) == 32 and shown["IPv6 PrefixLength"] == "64" and shown["Tunnel MTU"] == "1280"


@pytest.mark.parametrize("method", ["sha1", "sha256"])
def test_ayiya_carries_tcp_both_ways_through_a_nat_that_remaps_its_port(clients, method):
    tunnel = clients.request_by_tic("ayiya")
    client = clients.connect(tunnel, method=method)
    until(lambda: ping(clients.home, HOST), 5, "the host to answer through the tunnel")
    assert ping(clients.home, tunnel.pop, count=3)
    assert ping(clients.host, client.address, count=3)
    before = tunnel.shown()["endpoint"]
    transfer(clients.home, clients.host, HOST, TEN_MB, during=lambda: clients.nat(20000, 29999))
    after = tunnel.shown()["endpoint"]
    assert before != after and 20000 <= int(after.split(":")[1]) <= 29999
    transfer(clients.host, clients.home, client.address, TEN_MB, during=lambda: (clients.nat(10000, 19999), client.beat()))


def test_heartbeat_tunnel_follows_the_clients_address_with_the_next_beat(clients):
    tunnel = clients.request_by_tic("heartbeat")
    client = clients.connect(tunnel, clients.office, OFFICE)
    until(lambda: ping(clients.office, HOST), 5, "the host to answer through the tunnel")
    transfer(clients.office, clients.host, HOST, TEN_MB)
    transfer(clients.host, clients.office, client.address, TEN_MB)
    client.stop()

    clients.office.address("c0", f"{OFFICE2}/24")
    time.sleep(1.1)  # a beat from elsewhere must be newer, and its stamp counts in seconds
    client = clients.connect(tunnel, clients.office, OFFICE2)
    until(lambda: ping(clients.office, HOST), 5, "the host to answer at the new address")
    assert tunnel.shown()["endpoint"].split(":")[0] == OFFICE2

    with raw41_socket(clients.office, OFFICE) as old:
        assert ping(clients.host, client.address, count=3)
        assert not receive(old, lambda d: True, 0.5)
    mismatches = clients.drops("endpoint-mismatch")
    send_ipv4(clients.office, ipv4(OFFICE, POP_IPV4, 41, echo(tunnel.client, HOST)))
    until(lambda: clients.drops("endpoint-mismatch") == mismatches + 1, 3, "the old address to be refused by name")


def test_static_tunnel_carries_tcp_both_ways(clients):
    tunnel = clients.request_by_tic("static", OFFICE)
    client = clients.connect(tunnel, clients.office, OFFICE)
    until(lambda: ping(clients.office, HOST), 5, "the host to answer through the tunnel")
    transfer(clients.office, clients.host, HOST, TEN_MB)
    transfer(clients.host, clients.office, client.address, TEN_MB)


def test_merged_datagrams_that_cannot_be_cut_are_counted_for_their_tunnel(clients):
    """What UDP_SEGMENT leaves when the kernel's sit runs on popd's own machine: one UDP header, with the sum of the pseudo-header alone. Here
    it comes in IPv4 fragments."""
    tunnel = clients.request_by_tic("static", OFFICE).known()
    with raw41_socket(clients.office, OFFICE) as sock:
        for payload, dropped in ((1400, 0), (1433, 1), (40000, 2)):
            head = struct.pack("!HHHH", 4000, 9, 8 + payload, 0)
            partial = fold((~upper_checksum(tunnel.client, HOST, 17, b"") & 0xFFFF) + 8 + payload)
            datagram = head[:6] + struct.pack("!H", partial) + b"m" * payload
            heard = tunnel.shown()["packets_in"]
            sock.sendto(ipv6(tunnel.client, HOST, 17, datagram), (POP_IPV4, 0))
            if not dropped:
                until(lambda: tunnel.shown()["packets_in"] == heard + 1, 5, "one datagram to pass")  # noqa: B023
            until(lambda: [d["count"] for d in tunnel.shown()["drops"] if d["name"] == "inner-merged"] == [dropped][:dropped], 5, "the drop")  # noqa: B023


def test_two_clients_of_one_pop_reach_each_other(clients):
    one, two = clients.request_by_tic("ayiya"), clients.request_by_tic("heartbeat")
    clients.connect(one)
    clients.connect(two, clients.office, OFFICE)
    until(lambda: ping(clients.home, two.client), 5, "one client to reach the other")
    transfer(clients.home, clients.office, two.client, 1_000_000)


def test_path_shows_the_pop_as_a_hop_and_the_unused_rest_as_unreachable(clients):
    tunnel = clients.request_by_tic("ayiya")
    client = clients.connect(tunnel)
    until(lambda: ping(clients.home, HOST), 5, "the tunnel to work")
    hop = clients.home.run("ping", "-6", "-n", "-c", "1", "-t", "1", "-W", "2", HOST, check=False).stdout
    assert f"From {tunnel.pop}" in hop.replace("0::", "::") or tunnel.pop in hop
    assert "Time exceeded" in hop
    back = clients.host.run("ping", "-6", "-n", "-c", "1", "-W", "2", client.address[:-1] + "77", check=False).stdout
    assert "unreachable" in back.lower()
    none = clients.host.run("ping", "-6", "-n", "-c", "1", "-W", "2", "2001:db8:2ff:4242::2", check=False).stdout
    assert "Address unreachable" in none
    big = clients.host.run("ping", "-6", "-n", "-c", "1", "-W", "2", "-M", "do", "-s", "1400", client.address, check=False)
    assert "mtu" in (big.stdout + big.stderr).lower() and "1280" in big.stdout + big.stderr
