"""What popd counts, by the quarter of an hour and by reason, on its way to the database: once each, also when that is away."""
import re
import time

import pytest

from support.database import POP
from support.network import HOST, POP_IPV4
from support.packets import echo
from support.paths import slow
from support.sockets import udp_socket
from support.wait import until


def exchange(tunnel, sock, packets):
    """So many echo requests to the host, each answered."""
    for n in range(packets):
        tunnel.exchange(sock, ident=n)


def bad_signatures(tunnel, sock, packets):
    for _ in range(packets):
        sock.sendto(tunnel.ayiya(echo(tunnel.client, HOST), secret="f" * 32), (POP_IPV4, 5072))


def sums(net, table, owner):
    row = net.db.sql(f"select sum(packets_in), sum(packets_out), sum(drops) from broker.{table} where {owner}")[0]
    return [int(n or 0) for n in row]


def reasons(net, table, owner):
    return {row[0]: int(row[1]) for row in net.db.sql(f"select reason, sum(packets) from broker.{table} where {owner} group by 1")}


def told(tunnel):
    """What popd itself says of the tunnel."""
    shown = tunnel.shown()
    return [shown["packets_in"], shown["packets_out"], sum(row["count"] for row in shown["drops"])]


def everything_arrived(net, tunnel):
    """Each table tells just what popd counted."""
    wanted, by_reason = told(tunnel), {row["name"]: row["count"] for row in tunnel.shown()["drops"]}
    status = net.popctl("status")
    return (sums(net, "tunnel_day", f"tunnel = {tunnel.number}") == wanted == sums(net, "tunnel_sample", f"tunnel = {tunnel.number}")
            and sums(net, "pop_day", "true") == sums(net, "pop_sample", "true") == [status[k] for k in ("packets_in", "packets_out", "drops")]
            and reasons(net, "tunnel_drop", f"tunnel = {tunnel.number}") == by_reason
            and reasons(net, "pop_drop", "true") == {row["name"]: row["count"] for row in net.popctl("counters")["drops"] if row["count"]})


def test_a_quarters_sample_and_the_reasons_reach_the_database(net, popd):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        exchange(tunnel, sock, 7)
        bad_signatures(tunnel, sock, 3)
        sock.sendto(bytes(50), (POP_IPV4, 5072))  # of no tunnel
        until(lambda: told(tunnel)[2] == 3, slow(3), "the drops to be counted")
        until(lambda: everything_arrived(net, tunnel), slow(10), "the statistics to reach the database")
    at, now = net.db.sql(f"select extract(epoch from min(at))::bigint, extract(epoch from now())::bigint from broker.tunnel_sample where tunnel = {tunnel.number}")[0]
    assert int(at) % 900 == 0 and int(now) - int(at) < 900 + 60
    errors = net.db.ticctl("tunnel", "errors", tunnel.name)
    assert "ayiya-signature" in errors and "the signature is wrong: the client uses another tunnel password" in errors
    assert "ayiya-form" in net.db.ticctl("pop", "errors", POP) and "ayiya-form" not in errors
    assert re.search(r"(?m) 3$", net.db.ticctl("tunnel", "statistics", tunnel.name, "--by", "quarter"))


def test_the_database_and_popctl_have_the_reasons_of_one_list(net, popd):
    listed = {row["name"]: row["text"] for row in net.popctl("reasons")["reasons"]}
    assert listed == {row["name"]: row["text"] for row in net.popctl("counters")["drops"]}
    until(lambda: dict(net.db.sql("select name, text from broker.drop_reason")) == listed, slow(5), "the database to know them")
    lines = net.popctl("reasons", text=True).splitlines()
    assert [line.split("  ")[0] for line in lines] == list(listed) and all(line.endswith(listed[line.split("  ")[0]]) for line in lines)


@pytest.mark.parametrize("away", ["stopped", "frozen"])
def test_an_outage_loses_and_doubles_no_sample(net, popd, away):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        for turn in range(3):
            if turn == 1:
                net.db.stop("immediate") if away == "stopped" else net.db.freeze()
            exchange(tunnel, sock, 5)
            bad_signatures(tunnel, sock, 2)
            time.sleep(2.2)
            if turn == 1:
                assert net.popctl("status")["statistics_waiting"] > 0
                net.db.start() if away == "stopped" else net.db.thaw()
    assert told(tunnel) == [15, 15, 6]
    until(lambda: everything_arrived(net, tunnel), slow(30), "the database to hold what popd counted")
    time.sleep(2.2)  # nothing comes a second time
    assert everything_arrived(net, tunnel)


def test_an_answer_that_is_lost_doubles_nothing(net, popd):
    """The batch is in the database, but its acknowledgement never comes: popd sends it again, and it counts once."""
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        exchange(tunnel, sock, 4)
        bad_signatures(tunnel, sock, 1)
        until(lambda: everything_arrived(net, tunnel), slow(10), "the statistics to reach the database")
    # the newest batch of this popd, once more, as popd would send it
    incarnation, batch = net.db.sql("select incarnation, max(batch) from broker.statistics_batch group by 1 order by max(at) desc limit 1")[0]
    applied = net.db.sql(f"select applied from api.popd_samples('{incarnation}', {batch}, array[{tunnel.number}], array[current_date], array[0], array[1], array[1],"
                         " array[1], array[1], array[1], array[1], array[1], array[1], array[1], array[1], '{}', '{}', '{}', '{}')", user=f"popd_{POP}")
    assert applied == [["f"]]
    until(lambda: everything_arrived(net, tunnel), slow(10), "popd and the database to agree again")


def test_before_the_schema_is_migrated_statistics_wait(net, popd):
    """popd upgraded before `ticctl migrate`: the door it needs is not there yet."""
    tunnel = net.request("ayiya").known()
    net.db.sql("alter function api.popd_samples rename to popd_samples_later")
    try:
        with udp_socket(net.client) as sock:
            exchange(tunnel, sock, 3)
        until(lambda: net.popctl("status")["statistics_waiting"] > 0, slow(5), "statistics to wait")
        time.sleep(2.2)
    finally:
        net.db.sql("alter function api.popd_samples_later rename to popd_samples")
    until(lambda: everything_arrived(net, tunnel), slow(15), "the database to hold what popd counted")


def test_the_last_statistics_are_told_before_popd_ends(net, popd):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        exchange(tunnel, sock, 6)
        bad_signatures(tunnel, sock, 1)
        until(lambda: told(tunnel) == [6, 6, 1], slow(3), "all to be counted")
        assert popd.stop() == 0
    assert sums(net, "tunnel_sample", f"tunnel = {tunnel.number}") == [6, 6, 1] == sums(net, "tunnel_day", f"tunnel = {tunnel.number}")
    assert reasons(net, "tunnel_drop", f"tunnel = {tunnel.number}") == {"ayiya-signature": 1}


DOOR = "text, bigint, int[], date[], int[], int[], int[], int[], bigint[], int[], bigint[], bigint[], bigint[], bigint[], bigint[], int[], date[], text[], bigint[]"


def refuse_batches(net, sqlstate):
    """From now on the door refuses every batch so."""
    net.db.sql(f"create or replace function api.popd_samples({DOOR}) returns table (applied boolean) language plpgsql as $$ begin"
               f" raise exception 'not this one' using errcode = '{sqlstate}'; end $$; grant execute on function api.popd_samples({DOOR}) to popd")


def test_only_a_batch_that_is_itself_at_fault_is_dropped(net, popd):
    """A right that is missing, a rule, a lock: popd keeps the batch. An implausible or malformed value: it says so once and goes on."""
    tunnel, after = net.request("ayiya").known(), net.request("ayiya").known()
    net.db.sql("alter function api.popd_samples rename to popd_samples_later")
    try:
        refuse_batches(net, "42501")
        with udp_socket(net.client) as sock:
            exchange(tunnel, sock, 3)
        for sqlstate in ("42501", "BK001", "55P03", "P0001"):
            refuse_batches(net, sqlstate)
            time.sleep(2.2)  # it tries again each second
            assert net.popctl("status")["statistics_waiting"] > 0, sqlstate
        assert "is dropped" not in popd.log()
        refuse_batches(net, "BK003")
        until(lambda: net.popctl("status")["statistics_waiting"] == 0, slow(10), "the batch to be dropped")
    finally:
        net.db.sql(f"drop function api.popd_samples({DOOR})")
        net.db.sql("alter function api.popd_samples_later rename to popd_samples")
    assert popd.log().count("a batch of statistics is dropped, since the database refuses it: not this one") >= 1
    with udp_socket(net.client) as sock:
        exchange(after, sock, 2)
    until(lambda: sums(net, "tunnel_day", f"tunnel = {after.number}") == [2, 2, 0], slow(10), "what comes later to arrive")
    assert sums(net, "tunnel_day", f"tunnel = {tunnel.number}") == [0, 0, 0]
