"""A subnet: requested, approved, routed to the client, reachable from the Internet; and unreachable
at once when deleted."""
from support.netns import ping
from support.network import HOST
from support.wait import until


def test_subnet_is_routed_to_the_client_and_unreachable_a_second_after_it_is_deleted(clients):
    tunnel = clients.request_by_tic("ayiya")
    client = clients.connect(tunnel)
    until(lambda: ping(clients.home, HOST), 5, "the tunnel to work")
    clients.db.approve("subnet", "request", "DEMO", tunnel.name)
    tic = clients.ticd.login(space=clients.home)
    routes = [line.split(" ") for line in tic.block("route list")]
    (rid, _, prefix), = [r for r in routes if r[1] == tunnel.name and r[2].endswith("/48")]
    tic.quit()
    inside = prefix.replace("::/48", ":1::1")
    clients.home.address("lo", f"{inside}/128")
    until(lambda: ping(clients.host, inside), 1.5, "the subnet to be reachable a second after its approval")
    client_side = clients.home.run("ping", "-6", "-n", "-c", "1", "-W", "2", "-I", inside, HOST, check=False).stdout
    assert " 1 received" in client_side
    clients.db.ticctl("subnet", "delete", rid)
    until(lambda: not ping(clients.host, inside), 1.5, "the subnet to be unreachable a second after its deletion")
    gone = clients.host.run("ping", "-6", "-n", "-c", "1", "-W", "2", inside, check=False).stdout
    assert "unreachable" in gone.lower()
    assert ping(clients.home, HOST) and ping(clients.host, client.address)


def test_default_routed_64_reaches_the_client(clients):
    tunnel = clients.request_by_tic("ayiya")
    clients.connect(tunnel)
    until(lambda: ping(clients.home, HOST), 5, "the tunnel to work")
    number = int(tunnel.client.split("::")[0].split(":")[3] or "0", 16)
    inside = f"2001:db8:2ff:{number | 0x8000:x}::1"
    clients.home.address("lo", f"{inside}/128")
    until(lambda: ping(clients.host, inside), 2, "the routed /64 to be reachable")
