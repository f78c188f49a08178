"""A subnet: requested, approved, routed to the client, reachable from the Internet; and gone at once when deleted."""
import json

from support.wait import until
from support.world import HOST, ping


def test_subnet_is_routed_to_the_client_and_unreachable_a_second_after_it_is_deleted(clients):
    record = clients.request("ayiya")
    client = clients.connect(record)
    until(lambda: ping(clients.client, HOST), 5, "the tunnel to work")
    asked = json.loads(clients.db.ticctl("--json", "subnet", "request", "DEMO", record["TunnelId"]))
    asked = asked[0] if isinstance(asked, list) else asked
    clients.db.ticctl("request", "approve", str(asked["request"]))
    tic = clients.tic(clients.client)
    tic.login("DEMO", clients.secret)
    routes = [line.split(" ") for line in tic.block("route list")]
    (rid, _, prefix), = [r for r in routes if r[1] == record["TunnelId"] and r[2].endswith("/48")]
    tic.quit()
    inside = prefix.replace("::/48", ":1::1")
    clients.client.address("lo", f"{inside}/128")
    until(lambda: ping(clients.host, inside), 1.5, "the subnet to be reachable a second after its approval")
    client_side = clients.client.run("ping", "-6", "-n", "-c", "1", "-W", "2", "-I", inside, HOST, check=False).stdout
    assert " 1 received" in client_side
    clients.db.ticctl("subnet", "delete", rid)
    until(lambda: not ping(clients.host, inside), 1.5, "the subnet to be unreachable a second after its deletion")
    gone = clients.host.run("ping", "-6", "-n", "-c", "1", "-W", "2", inside, check=False).stdout
    assert "unreachable" in gone.lower()
    assert ping(clients.client, HOST) and ping(clients.host, client.address)


def test_default_routed_64_reaches_the_client(clients):
    record = clients.request("ayiya")
    clients.connect(record)
    until(lambda: ping(clients.client, HOST), 5, "the tunnel to work")
    number = int(record["IPv6 Endpoint"].split("::")[0].split(":")[3] or "0", 16)
    inside = f"2001:db8:2ff:{number | 0x8000:x}::1"
    clients.client.address("lo", f"{inside}/128")
    until(lambda: ping(clients.host, inside), 2, "the routed /64 to be reachable")
