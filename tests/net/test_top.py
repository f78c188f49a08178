"""popctl top: which tunnels are busy, and their rates."""
import json
import os
import pty
import re
import select
import subprocess
import threading
import time

import pytest

from support.network import HOST, POP_IPV4
from support.packets import echo
from support.paths import program, slow
from support.sockets import udp_socket
from support.wait import until


@pytest.fixture(scope="module")
def net(net):
    net.popd.restart()
    return net


@pytest.fixture(scope="module")
def busy(net):
    """Three tunnels: big packets, many packets, and forged ones, as steadily as a thread can."""
    tunnels = [net.request("ayiya") for _ in range(3)]
    stop = threading.Event()
    rates = {}

    def send(sock):
        big, many, bad = tunnels
        count = dict.fromkeys(tunnels, 0)
        began = due = time.monotonic()
        while not stop.is_set():
            for tunnel, size, packets in ((big, 1200, 10), (many, 8, 20)):
                for n in range(packets):
                    sock.sendto(tunnel.ayiya(echo(tunnel.client, HOST, ident=1, sequence=n, data=bytes(size))), (POP_IPV4, 5072))
                count[tunnel] += packets
            for _ in range(5):
                sock.sendto(bad.ayiya(b"", secret="0" * 32), (POP_IPV4, 5072))
            count[bad] += 5
            due += 0.1
            rates.update({t.name: c / (time.monotonic() - began) for t, c in count.items()})
            stop.wait(max(0, due - time.monotonic()))

    with udp_socket(net.client) as sock:
        for tunnel in tunnels:
            tunnel.exchange(sock, ident=2)
        thread = threading.Thread(target=send, args=(sock,))
        thread.start()
        time.sleep(1)
        yield tunnels, rates
        stop.set()
        thread.join()


def once(net, *words):
    return net.popctl("top", "--once", *words)


def test_rates_are_those_of_the_traffic(net, busy):
    (big, many, _), rates = busy
    told = once(net, "--interval", "2")
    assert told["by"] == "bytes" and 1900 < told["window_ms"] < slow(3000)
    first, second = told["tunnels"]
    assert first["id"] == big.name and second["id"] == many.name  # the forged ones are nobody's traffic
    for row, tunnel, size in ((first, big, 1248), (second, many, 56)):
        rate = row["packets_in_per_second"]
        assert 0.7 * rates[tunnel.name] < rate < 1.4 * rates[tunnel.name]
        assert abs(row["bits_in_per_second"] - 8 * size * rate) < 8 * size
        assert 0.7 * rate < row["packets_out_per_second"] < 1.4 * rate  # the host answers
        assert row["type"] == "ayiya" and row["endpoint"] == tunnel.shown()["endpoint"]
        assert row["packets_in"] <= tunnel.shown()["packets_in"]


@pytest.mark.parametrize("by, order", [("bytes", (0, 1)), ("packets", (1, 0)), ("drops", (2,))])
def test_the_order_is_the_one_asked_for(net, busy, by, order):
    tunnels, _ = busy
    told = once(net, "--by", by)
    assert [row["id"] for row in told["tunnels"]] == [tunnels[n].name for n in order]
    assert [row["id"] for row in once(net, "--by", by, "-n", "1")["tunnels"]] == [tunnels[order[0]].name]
    if by == "drops":
        assert told["tunnels"][0]["drops_per_second"] > 20


def test_a_table_for_people(net, busy):
    (big, many, _), _ = busy
    lines = net.popctl("top", "--once", text=True).splitlines()
    assert re.fullmatch(r"the busiest tunnels by bytes, in the last \d\.\d s; IN is from the client", lines[0])
    assert lines[1].split() == ["TUNNEL", "TYPE", "ENDPOINT", "IN", "OUT", "PKT/S", "IN", "PKT/S", "OUT", "DROPS/S", "ALL", "IN", "ALL", "OUT", "DROPS"]
    assert [line.split()[0] for line in lines[2:]] == [big.name, many.name]
    assert "\033" not in "".join(lines)
    assert re.search(r" \d+(\.\d)? [kM]bit/s .* \d+(\.\d)? kB ", lines[2]) and re.search(r" \d+(\.\d)? kbit/s ", lines[3])


def test_on_a_terminal_the_table_is_drawn_anew(net, busy):
    master, slave = pty.openpty()
    process = subprocess.Popen([program("popctl"), "--socket", net.popd.socket, "top", "--interval=1"], stdout=slave, stderr=slave, stdin=slave)
    os.close(slave)
    seen = b""
    try:
        deadline = time.monotonic() + slow(10)
        while seen.count(b"\033[H\033[J") < 3 and time.monotonic() < deadline:
            if select.select([master], [], [], 0.2)[0]:
                seen += os.read(master, 65536)
        assert seen.startswith(b"\033[H\033[J") and seen.count(b"the busiest tunnels") >= 2
    finally:
        process.terminate()
        process.wait(10)
        os.close(master)


def test_without_a_terminal_a_line_of_json_a_table(net, busy):
    process = subprocess.Popen([program("popctl"), "--socket", net.popd.socket, "--json", "top", "--interval", "1", "-n", "1"], stdout=subprocess.PIPE, text=True)
    try:
        told = [json.loads(process.stdout.readline()) for _ in range(2)]
        assert all(len(t["tunnels"]) == 1 and t["window_ms"] for t in told)
    finally:
        process.terminate()
        process.wait(10)


def test_many_watchers_cost_no_more_than_two_samples_a_second(net, busy):
    watchers = [subprocess.Popen([program("popctl"), "--socket", net.popd.socket, "--json", "top", "--interval", "1"], stdout=subprocess.PIPE, text=True)
                for _ in range(20)]
    try:
        windows = [json.loads(w.stdout.readline())["window_ms"] for w in watchers for _ in range(2)]
        assert all(w >= 500 for w in windows)
    finally:
        for w in watchers:
            w.terminate()
            w.wait(10)


def test_a_wrong_call_is_refused_in_a_sentence(net):
    for words, status in ((["-n", "0"], 2), (["-n", "201"], 2), (["-n", "x"], 2), (["-n"], 2), (["--by", "size"], 2), (["--by"], 2), (["--interval", "0"], 2),
                          (["--interval", "1.5"], 2), (["T7"], 2), (["--all"], 2)):
        done = net.popctl("top", "--once", *words, check=False)
        assert (done.returncode, done.stdout) == (status, "") and done.stderr.startswith("popctl: "), words
    assert net.popctl("status", "--once", check=False).returncode == 2


def test_memory_is_freed_a_minute_after_the_last_sample(net):
    def mapped():  # what may be written to, in kB; an arena that malloc keeps in reserve is not
        with open(f"/proc/{net.popd.pid}/maps", encoding="ascii") as f:
            ranges = [line.split()[0].split("-") for line in f if " rw-p " in line]
        return sum(int(end, 16) - int(start, 16) for start, end in ranges) >> 10
    once(net)
    watching = mapped()
    until(lambda: mapped() < watching - 2000, slow(70), "3 MB of counters, for 65536 places, to be given back", step=0.5)
    assert once(net)["window_ms"]  # and it begins anew
