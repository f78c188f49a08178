"""A person at home gets IPv6: TIC, then each tunnel type, ping and TCP both ways, through what homes have between them and us."""
import socket
import time

import pytest

from support import forge
from support.wait import until
from support.world import DIRECT, DIRECT2, HOST, POP, POP_IPV4, ping, transfer

TEN_MB = 10_000_000


def test_tic_tells_a_client_behind_nat_all_it_needs(clients):
    record = clients.request("ayiya")
    tic = clients.tic(clients.client)
    assert "Demo User" in tic.login("demo", clients.secret)
    assert [record["TunnelId"], record["IPv6 Endpoint"], "ayiya", POP] in tic.tunnels()
    shown = tic.tunnel(record["TunnelId"].lower())
    tic.quit()
    assert shown == record
    assert shown["Type"] == "ayiya" and shown["IPv4 Endpoint"] == "ayiya" and shown["IPv4 POP"] == POP_IPV4
    assert shown["Heartbeat_Interval"] == "60" and shown["UserState"] == shown["AdminState"] == "enabled"
    assert len(shown["Password"]) == 32 and shown["IPv6 PrefixLength"] == "64" and shown["Tunnel MTU"] == "1280"


@pytest.mark.parametrize("method", ["sha1", "sha256"])
def test_ayiya_carries_tcp_both_ways_through_a_nat_that_remaps_its_port(clients, method):
    record = clients.request("ayiya")
    client = clients.connect(record, method=method)
    until(lambda: ping(clients.client, HOST), 5, "the host to answer through the tunnel")
    assert ping(clients.client, record["IPv6 POP"], count=3)
    assert ping(clients.host, client.address, count=3)
    before = clients.popctl("tunnel", "show", record["TunnelId"])["endpoint"]
    transfer(clients.client, clients.host, HOST, TEN_MB, during=lambda: clients.nat(20000, 29999))
    after = clients.popctl("tunnel", "show", record["TunnelId"])["endpoint"]
    assert before != after and 20000 <= int(after.split(":")[1]) <= 29999
    transfer(clients.host, clients.client, client.address, TEN_MB, during=lambda: (clients.nat(10000, 19999), client.beat()))


def test_heartbeat_tunnel_follows_the_clients_address_with_the_next_beat(clients):
    record = clients.request("heartbeat")
    client = clients.connect(record, clients.direct, DIRECT)
    until(lambda: ping(clients.direct, HOST), 5, "the host to answer through the tunnel")
    transfer(clients.direct, clients.host, HOST, TEN_MB)
    transfer(clients.host, clients.direct, client.address, TEN_MB)
    client.stop()

    clients.direct.address("d0", f"{DIRECT2}/24")
    time.sleep(1.1)  # a beat from elsewhere must be newer, and its stamp counts in seconds
    client = clients.connect(record, clients.direct, DIRECT2)
    until(lambda: ping(clients.direct, HOST), 5, "the host to answer at the new address")
    assert clients.popctl("tunnel", "show", record["TunnelId"])["endpoint"].split(":")[0] == DIRECT2

    with clients.direct.inside():
        old = socket.socket(socket.AF_INET, socket.SOCK_RAW, 41)
        old.bind((DIRECT, 0))
    old.settimeout(0.5)
    with old:
        assert ping(clients.host, client.address, count=3)
        with pytest.raises(TimeoutError):
            old.recv(2048)
    mismatches = clients.drops("endpoint-mismatch")
    forge.protocol41(clients, DIRECT, record["IPv6 Endpoint"], HOST)
    until(lambda: clients.drops("endpoint-mismatch") == mismatches + 1, 3, "the old address to be refused by name")


def test_static_tunnel_carries_tcp_both_ways(clients):
    record = clients.request("static", "--endpoint", DIRECT)
    client = clients.connect(record, clients.direct, DIRECT)
    until(lambda: ping(clients.direct, HOST), 5, "the host to answer through the tunnel")
    transfer(clients.direct, clients.host, HOST, TEN_MB)
    transfer(clients.host, clients.direct, client.address, TEN_MB)


def test_two_clients_of_one_pop_reach_each_other(clients):
    one, two = clients.request("ayiya"), clients.request("heartbeat")
    clients.connect(one)
    clients.connect(two, clients.direct, DIRECT)
    until(lambda: ping(clients.client, two["IPv6 Endpoint"]), 5, "one client to reach the other")
    transfer(clients.client, clients.direct, two["IPv6 Endpoint"], 1_000_000)


def test_path_shows_the_pop_as_a_hop_and_the_unused_rest_as_unreachable(clients):
    record = clients.request("ayiya")
    client = clients.connect(record)
    until(lambda: ping(clients.client, HOST), 5, "the tunnel to work")
    hop = clients.client.run("ping", "-6", "-n", "-c", "1", "-t", "1", "-W", "2", HOST, check=False).stdout
    assert f"From {record['IPv6 POP']}" in hop.replace("0::", "::") or record["IPv6 POP"] in hop
    assert "Time exceeded" in hop
    back = clients.host.run("ping", "-6", "-n", "-c", "1", "-W", "2", client.address[:-1] + "77", check=False).stdout
    assert "unreachable" in back.lower()
    none = clients.host.run("ping", "-6", "-n", "-c", "1", "-W", "2", "2001:db8:2ff:4242::2", check=False).stdout
    assert "Address unreachable" in none
    big = clients.host.run("ping", "-6", "-n", "-c", "1", "-W", "2", "-M", "do", "-s", "1400", client.address, check=False)
    assert "mtu" in (big.stdout + big.stderr).lower() and "1280" in big.stdout + big.stderr
