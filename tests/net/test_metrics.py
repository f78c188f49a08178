"""The metrics as a scraper sees them: true, in the format, and without delay for anything else."""
import contextlib
import re
import socket
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.network import CLIENT2_IPV4, HOST, POP_IPV4
from support.packets import echo
from support.paths import slow
from support.server import HttpServer
from support.sockets import open_socket, read_all, udp_socket
from support.wait import until

AT = ("127.0.0.1", 9641)
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


def server(net, at=AT):
    return HttpServer(*at, net.pop)


def say(net, request, at=AT):
    return server(net, at).say(request, seconds=20)


def unchunked(body):
    whole = b""
    while True:
        size, body = body.split(b"\r\n", 1)
        size = int(size, 16)
        if size == 0:
            assert body == b"\r\n"
            return whole
        whole += body[:size]
        assert body[size:size + 2] == b"\r\n"
        body = body[size + 2:]


def get(net, path="/metrics", at=AT):
    """The body of a 200."""
    head, body = say(net, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), at).split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 "), head
    assert b"Content-Type: text/plain; version=0.0.4; charset=utf-8" in head, head
    if b"chunked" in head:
        body = unchunked(body)
    else:
        assert int(re.search(rb"Content-Length: (\d+)", head).group(1)) == len(body)
    return body.decode()


def check_format(text):
    """What promtool would complain of: heads in order, each family once and in one piece, no sample
    twice."""
    seen, samples, family = set(), set(), None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split()[2]
            assert family not in seen, f"{family} comes twice"
            seen.add(family)
        elif line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert name == family and kind in ("counter", "gauge", "histogram")
            assert (kind == "counter") == name.endswith("_total"), line
        elif line:
            name = re.match(r"[a-z_0-9]+", line).group(0)
            assert name == family or re.fullmatch(f"{family}_(bucket|sum|count)", name), line
            key = line.rsplit(" ", 1)[0]
            assert key not in samples, f"{key} comes twice"
            samples.add(key)


def scrape(net, path="/metrics", at=AT):
    """{(sample name, labels as sorted pairs): value}"""
    text = get(net, path, at)
    check_format(text)
    return {(s.name, *sorted(s.labels.items())): s.value for family in text_string_to_metric_families(text) for s in family.samples}


# ---- what they say

def test_counters_show_the_packets_that_passed_and_were_dropped(net, popd):
    tunnel = net.request("ayiya").known()
    net.request("static", endpoint=CLIENT2_IPV4).known()
    before = until(lambda: scrape(net), slow(3), "a page")
    payload = echo(tunnel.client, HOST, ident=77)
    with udp_socket(net.client) as sock:
        tunnel.up_by_ayiya(sock)
        for n in range(5):
            tunnel.exchange(sock, ident=77, sequence=n)
        for _ in range(3):
            sock.sendto(tunnel.ayiya(payload, secret="0" * 32), (POP_IPV4, 5072))
        until(lambda: tunnel.shown()["drops"], slow(3), "the forged ones to be dropped")
        sock.sendto(tunnel.ayiya(echo(tunnel.client, HOST, hops=1)), (POP_IPV4, 5072))  # time exceeded
        until(lambda: len(tunnel.shown()["drops"]) == 2, slow(3), "the short-lived one to be dropped")
    time.sleep(1.1)  # a page serves a second
    after = scrape(net)

    def grown(*key):
        return after[key] - before[key]
    forged = ("reason", "ayiya-signature")
    assert grown("popd_packets_in_total") == 5 and grown("popd_packets_out_total") == 6
    assert grown("popd_bytes_in_total") == 5 * len(payload)
    assert grown("popd_drops_total", forged) == 3 and grown("popd_drops_total", ("reason", "hop-limit")) == 1
    assert grown("popd_icmp_errors_sent_total") == 1 and grown("popd_keepalives_total") == 1
    assert grown("popd_tunnels", ("state", "up"), ("type", "ayiya")) == 1
    assert after["popd_tunnels", ("state", "up"), ("type", "static")] == 1
    assert after["popd_tunnels_active",] == 1
    assert after["popd_info", ("pop", "demo01"), ("version", net.popctl("status")["version"])] == 1
    assert after["popd_workers",] == net.popd.workers and after["popd_database_up",] == 1 and after["popd_feed_loaded",] == 1
    assert 0 <= time.time() - after["popd_report_timestamp_seconds",] < slow(5)
    assert 0 <= time.time() - after["popd_start_time_seconds",] < 600
    assert after["popd_feed_sequence",] == net.popctl("status")["feed"]["seq"]


def test_popctl_status_shows_the_same(net, popd):
    page, status = scrape(net), net.popctl("status")
    assert page["popd_tunnels_capacity",] == status["tunnels"]["capacity"] and page["popd_table_bytes",] == status["table_bytes"]
    assert page["popd_snapshot_bytes",] == status["snapshot_bytes"] and page["popd_feed_changes_total",] == status["feed"]["changes"]
    assert page["popd_info", ("pop", status["pop"]), ("version", status["version"])] == 1
    assert sum(v for key, v in page.items() if key[0] == "popd_tunnels") == status["tunnels"]["configured"]
    assert sum(v for key, v in page.items() if key[0] == "popd_tunnels" and ("state", "up") in key) == status["tunnels"]["up"]
    assert {dict(key[1:])["queue"]: v for key, v in page.items() if key[0] == "popd_queue_overruns_total"} == status["queue_overruns"]
    assert {dict(key[1:])["offload"]: dict(key[1:])["state"] for key, v in page.items() if key[0] == "popd_offload" and v == 1} \
        == {name: state for name, state in status["offloads"].items() if name != "sha1"}
    assert page["popd_sha1_engine_info", ("engine", status["offloads"]["sha1"])] == 1
    assert sum(v for key, v in page.items() if key[0] == "popd_drops_total") == status["drops"]


def test_every_batch_and_second_is_in_a_histogram(net, popd):
    first = scrape(net)
    workers = [str(w) for w in range(net.popd.workers) if first["popd_batch_packets_count", ("worker", str(w))]]
    assert workers
    for w in workers:
        label = ("worker", w)
        assert first["popd_batch_seconds_count", label] == first["popd_batch_packets_count", label]
        assert first["popd_batch_packets_sum", label] >= first["popd_batch_packets_count", label]
        assert 0 < first["popd_batch_seconds_sum", label] < 60
        assert first["popd_batch_seconds_bucket", ("le", "+Inf"), label] == first["popd_batch_seconds_count", label]
    until(lambda: scrape(net)["popd_control_lateness_seconds_count",] >= first["popd_control_lateness_seconds_count",] + 2, 5, "two ticks")
    now = scrape(net)
    assert now["popd_control_lateness_seconds_count",] <= time.time() - now["popd_start_time_seconds",] + 1
    status = net.popctl("status")["latency"]
    assert status["batches"] > 0 and 0 < status["batch_us_p50"] <= status["batch_us_p99"]
    assert status["control_late_us_p50"] <= status["control_late_us_p99"]


def test_queue_overruns_of_a_socket_are_counted(net, popd):
    popd.restart(workers=1)
    popd.signal(19)  # SIGSTOP: nobody reads
    try:
        with udp_socket(net.client) as sock:
            for _ in range(40000):
                sock.sendto(b"x" * 1400, (POP_IPV4, 3740))
    finally:
        popd.signal(18)
    lost = until(lambda: net.popctl("status")["queue_overruns"]["heartbeat"], slow(5), "the loss to be told")
    assert scrape(net)["popd_queue_overruns_total", ("queue", "heartbeat")] == lost
    assert f"heartbeat {lost}" in net.popctl("status", text=True)
    popd.stop()


def test_series_of_tunnels_are_served_on_request_only(net, popd):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        tunnel.up_by_ayiya(sock)
        tunnel.exchange(sock, ident=7)
    assert not any("tunnel" in dict(key[1:]) for key in scrape(net))
    assert not any("tunnel" in dict(key[1:]) for key in scrape(net, "/metrics?tunnels=0"))
    told = scrape(net, "/metrics?tunnels=1")
    me = ("tunnel", tunnel.name)
    assert told["popd_tunnel_up", me, ("type", "ayiya")] == 1
    assert told["popd_tunnel_packets_in_total", me] == 1 and told["popd_tunnel_packets_out_total", me] == 1
    assert told["popd_workers",] == net.popd.workers  # the PoP's are there too
    assert net.popctl("status")["tunnels"]["configured"] == sum(key[0] == "popd_tunnel_up" for key in told)


# ---- who may ask, and how

def test_unknown_paths_and_methods_are_refused(net, popd):
    def status(request):
        return int(say(net, request).split(b" ")[1])
    assert status(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == 404
    assert status(b"GET /metrics/ HTTP/1.1\r\nHost: x\r\n\r\n") == 404
    assert status(b"GET /%6detrics HTTP/1.1\r\nHost: x\r\n\r\n") in (200, 404)
    assert status(b"GET /metrics?tunnels=2 HTTP/1.1\r\nHost: x\r\n\r\n") == 400
    assert status(b"GET /metrics?tunnels=1&tunnels=9 HTTP/1.1\r\nHost: x\r\n\r\n") in (200, 400)
    assert status(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000000\r\n\r\nabc") == 405
    assert status(b"DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n") == 405
    assert status(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20000 + b"\r\n") in (413, 431)
    assert status(b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n") == 414
    assert status(b"GET /metrics HTTP/1.0\r\n\r\n") == 200
    head = say(net, b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and head.endswith(b"\r\n\r\n") and b"Content-Length: " in head
    assert say(net, b"HEAD /metrics?tunnels=1 HTTP/1.1\r\nHost: x\r\n\r\n").endswith(b"\r\n\r\n")
    assert say(net, b"GET /metrics?tunnels=1 HTTP/1.0\r\n\r\n").endswith(b"\n")
    for nonsense in (b"\0" * 1000, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/9.9\r\n\r\n",
                     b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde"):
        with server(net).connect() as s:
            s.sendall(nonsense)
            s.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                read_all(s)
    assert scrape(net)["popd_workers",] == net.popd.workers


def test_other_machines_are_refused_by_default(net, popd):
    listening = net.pop.run("ss", "-Hltn", "sport = :9641").stdout.split()
    assert "127.0.0.1:9641" in listening, listening


def test_a_hundred_slow_connections_delay_nobody(net, popd):
    memory = popd.rss()
    slow_ones = []
    for n in range(100):
        s = server(net).connect(seconds=20)
        if n % 2:
            s.sendall(b"GET /metr")
        slow_ones.append(s)
    for _ in range(20):
        started = time.monotonic()
        assert scrape(net)["popd_workers",] == net.popd.workers
        assert time.monotonic() - started < slow(1)
        net.popctl("status")
        assert time.monotonic() - started < slow(1.5)
        for s in slow_ones[:5]:
            with contextlib.suppress(ConnectionError):
                s.sendall(b"i")
    assert popd.rss() - memory < 20 << 20
    # a byte now and then does not keep a place for ever
    deadline = time.monotonic() + slow(15)
    for s in slow_ones:
        s.settimeout(max(0.1, deadline - time.monotonic()))
        with contextlib.suppress(ConnectionError):
            assert s.recv(100) == b""
        s.close()


def test_a_client_that_does_not_read_is_disconnected(net, popd):
    lazy = []
    for _ in range(3):
        s = server(net).connect(receive_buffer=2048)
        s.sendall(b"GET /metrics?tunnels=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        lazy.append(s)
    started, cpu = time.monotonic(), popd.cpu_seconds()
    while time.monotonic() - started < 3:
        scrape(net)
    assert popd.cpu_seconds() - cpu < slow(1)
    for s in lazy:
        s.close()
    assert scrape(net, "/metrics?tunnels=1")["popd_workers",] == net.popd.workers


# ---- where

def test_popd_starts_although_the_port_is_taken(net, popd):
    popd.stop()
    with open_socket(net.pop, socket.AF_INET, socket.SOCK_STREAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(AT)
        other.listen()
        popd.start()
        net.popd.loaded()
        metrics = net.popctl("status")["metrics"]
        assert metrics == {"address": "127.0.0.1:9641", "problem": "127.0.0.1:9641 is taken by another program"}
        assert "not served: 127.0.0.1:9641 is taken by another program" in net.popctl("status", text=True)
        assert "metrics are not served: 127.0.0.1:9641 is taken by another program" in popd.log()
    net.popctl("reload")
    assert net.popctl("status")["metrics"] == {"address": "127.0.0.1:9641", "problem": None}
    assert scrape(net)["popd_workers",] == net.popd.workers


def test_metrics_off_opens_no_port(net, popd):
    popd.restart(metrics="off")
    assert net.popctl("status")["metrics"] is None
    assert re.search("^metrics +off$", net.popctl("status", text=True), re.M)
    with pytest.raises(ConnectionRefusedError):
        server(net).connect()
    popd.stop()


@pytest.mark.parametrize("at", [("::1", 9642), (POP_IPV4, 9643)])
def test_metrics_are_served_at_another_address(net, popd, at):
    popd.stop()
    where = f"[{at[0]}]:{at[1]}" if ":" in at[0] else f"{at[0]}:{at[1]}"
    net.popd.configure(metrics=where)
    popd.start()
    net.popd.loaded()
    assert net.popctl("status")["metrics"] == {"address": where, "problem": None}
    assert scrape(net, at=at)["popd_workers",] == net.popd.workers
    with pytest.raises(ConnectionRefusedError):
        server(net).connect()
    popd.stop()
