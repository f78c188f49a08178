"""What continues when a part fails: a killed popd, a stopped database, a PoP that is down."""
import time

import pytest

from support.database import POP
from support.netns import ping
from support.network import HOST
from support.paths import slow
from support.tic import TicError
from support.wait import until


def test_popd_killed_while_the_database_is_away_forwards_again_from_its_snapshot(clients):
    tunnel = clients.request_by_tic("ayiya")
    client = clients.connect(tunnel, beat=1000)
    until(lambda: ping(clients.home, HOST), 5, "the tunnel to work")
    endpoint = tunnel.shown()["endpoint"]
    time.sleep(0.5)  # longer than an endpoint may take to reach the disk
    clients.db.stop("immediate")
    try:
        clients.popd.kill()
        died = time.monotonic()
        clients.popd.start(wait=False)
        # from the host, so that popd cannot learn the endpoint from a packet of the client
        until(lambda: ping(clients.host, client.address), 10, "the host to reach the client", step=0.02)
        took = time.monotonic() - died
        assert tunnel.shown()["endpoint"] == endpoint
        print(f"traffic {took:.2f} s after SIGKILL")
        assert took < slow(2)
    finally:
        clients.db.start()
    until(lambda: clients.popctl("status")["database"] == "up", 15, "popd to find the database again")


def test_database_restart_loses_and_doubles_nothing(clients):
    tunnel = clients.request_by_tic("ayiya")
    clients.connect(tunnel)
    until(lambda: ping(clients.home, HOST, count=5), 5, "the tunnel to work")
    clients.db.stop("immediate")
    assert ping(clients.home, HOST, count=5)  # not one packet lost while the database is away
    time.sleep(1)
    clients.db.start()
    until(lambda: is_logged_in(clients), 15, "ticd to find the database again")
    clients.request("ayiya").known(3)

    def counted():
        shown = tunnel.shown()
        rows = clients.db.sql(f"select sum(packets_in), sum(packets_out) from broker.tunnel_day where tunnel = {tunnel.number}")
        return [int(n or 0) for n in rows[0]] == [shown["packets_in"], shown["packets_out"]]

    clients.drop_clients()
    until(counted, 30, "the database to hold just what popd counted")


def is_logged_in(world):
    try:
        return bool(world.ticd.login().tunnels())
    except TicError:
        return False


def test_status_page_and_tic_say_down_within_a_minute_and_up_again(clients):
    tunnel = clients.request_by_tic("ayiya")
    until(lambda: state_of(clients) == "up", 20, "the page to say up")
    assert clients.popd.stop() == 0
    stopped = time.monotonic()
    until(lambda: state_of(clients) == "down", 60, "the page to say down", step=0.5)
    print(f"down {time.monotonic() - stopped:.0f} s after popd stopped")
    page = clients.webd.get("/pops/status/")
    assert page.status == 200 and "Down" in page.text
    tic = clients.ticd.login()
    with pytest.raises(TicError) as refusal:
        tic.block(f"tunnel show {tunnel.name}")
    assert str(refusal.value).endswith(
        f"500 This PoP is unfortunately currently down, see {clients.webd.url}/pops/status/ for more information.")
    tic.quit()
    clients.popd.start()
    until(lambda: state_of(clients) == "up", 20, "the page to say up again")
    assert clients.record(tunnel.name) == tunnel.record
    assert clients.webd.get(f"/pops/{POP}").status == 200
    history = [row[0] for row in clients.db.sql(f"select state from api.web_pop_history('{POP}', 10)", user="webd")]
    assert history[:2] == ["up", "down"]


def state_of(world):
    reply = world.webd.get("/pops/status.json")
    return next(pop["state"] for pop in reply.json["pops"] if pop["name"] == POP) if reply.status == 200 else None
