"""What goes on when something else does not: a killed popd, a stopped database, a PoP that is down."""
import time

import pytest

from support.tic import TicError
from support.wait import until
from support.world import HOST, POP, URL, ping

DOWN = f"500 This PoP is unfortunately currently down, see {URL}/pops/status/ for more information."


def test_popd_killed_while_the_database_is_away_forwards_again_from_its_snapshot(clients):
    record = clients.request("ayiya")
    client = clients.connect(record, beat=1000)
    until(lambda: ping(clients.client, HOST), 5, "the tunnel to work")
    endpoint = clients.popctl("tunnel", "show", record["TunnelId"])["endpoint"]
    time.sleep(0.5)  # longer than an endpoint may take to reach the disk
    clients.db.stop("immediate")
    try:
        clients.popd.kill()
        died = time.monotonic()
        clients.popd.start(wait=False)
        # from the host, so that nothing the client sends can have taught popd the endpoint again
        until(lambda: ping(clients.host, client.address), 10, "the host to reach the client", step=0.02)
        took = time.monotonic() - died
        assert clients.popctl("tunnel", "show", record["TunnelId"])["endpoint"] == endpoint
        print(f"traffic {took:.2f} s after SIGKILL")
        assert took < 2 * sanitizer_slack()
    finally:
        clients.db.start()
    until(lambda: clients.popctl("status")["database"] == "up", 15, "popd to find the database again")


def sanitizer_slack():
    """The two seconds are the issue's promise, not a benchmark; an instrumented build gets five times as long."""
    from support.paths import BUILD
    return 5 if "san" in BUILD.name else 1


def test_database_restart_loses_and_doubles_nothing(clients):
    record = clients.request("ayiya")
    clients.connect(record)
    until(lambda: ping(clients.client, HOST, count=5), 5, "the tunnel to work")
    clients.db.stop("immediate")
    assert ping(clients.client, HOST, count=5)  # not one packet lost while the database is away
    time.sleep(1)
    clients.db.start()
    until(lambda: is_logged_in(clients), 15, "ticd to find the database again")
    late = clients.request("ayiya")
    clients.known(late)
    tid = int(record["TunnelId"][1:])

    def counted():
        shown = clients.popctl("tunnel", "show", record["TunnelId"])
        rows = clients.db.sql(f"select sum(packets_in), sum(packets_out) from broker.tunnel_day where tunnel = {tid}")
        return [int(n or 0) for n in rows[0]] == [shown["packets_in"], shown["packets_out"]]

    clients.drop_clients()
    until(counted, 30, "the database to hold just what popd counted")


def is_logged_in(world):
    try:
        return bool(world.listed())
    except TicError:
        return False


def test_status_page_and_tic_say_down_within_a_minute_and_up_again(clients):
    record = clients.request("ayiya")
    until(lambda: state_of(clients) == "up", 20, "the page to say up")
    assert clients.popd.stop() == 0
    stopped = time.monotonic()
    until(lambda: state_of(clients) == "down", 60, "the page to say down", step=0.5)
    print(f"down {time.monotonic() - stopped:.0f} s after popd stopped")
    status, page = clients.web("/pops/status/")
    assert status == 200 and "Down" in page
    tic = clients.tic(clients.pop)
    tic.login("DEMO", clients.secret)
    with pytest.raises(TicError) as told:
        tic.block(f"tunnel show {record['TunnelId']}")
    assert str(told.value).endswith(DOWN)
    tic.quit()
    clients.popd.start()
    until(lambda: state_of(clients) == "up", 20, "the page to say up again")
    assert clients.record(record["TunnelId"]) == record
    status, page = clients.web(f"/pops/{POP}")
    assert status == 200
    history = [row[0] for row in clients.db.sql(f"select state from api.web_pop_history('{POP}', 10)", user="webd")]
    assert history[:2] == ["up", "down"]


def state_of(world):
    import json
    status, body = world.web("/pops/status.json")
    pop, = [p for p in json.loads(body)["pops"] if p["name"] == POP] if status == 200 else [{"state": None}]
    return pop["state"]
