"""
Secrets that are no longer in use are not in popd's memory: neither in freed blocks nor in
libpq's buffers.

All memory that the running popd can write to is searched for the secrets of thousands of
tunnels, and for the keys made of some of them.
"""
import contextlib
import hashlib
import os
import pathlib
import signal

import pytest

from support.network import POP_IPV4
from support.paths import SANITIZED, slow
from support.sockets import udp_socket
from support.wait import until

pytestmark = pytest.mark.skipif(SANITIZED, reason="the sanitizer keeps freed memory as it was")

# Two pages of the feed, so that libpq's buffers grow; all but the last two are deleted, so that
# nothing as long overwrites what is there.
FIRST, LAST = 1000, 3999
RENEWED, KEPT = LAST - 1, LAST
ONLY_DIGITS = bytes(n if chr(n) in "0123456789abcdef" else 32 for n in range(256))

# The broker's rules have tests of their own: rows are written with triggers off. The feed hears of
# new ones by the function that its triggers call; of later changes it hears nothing, so that only
# the full reload brings them, in an answer too short to overwrite the ones before.
SILENTLY = "BEGIN; SET LOCAL session_replication_role = replica; {}; COMMIT;"
TELL = f"SELECT broker.feed_record(array_agg(p.id), array_agg(n)) FROM broker.pop p, generate_series({FIRST}, {LAST}) n"
ADD = """INSERT INTO broker.tunnel (id, account, pop, pop_ipv4, type, prefix)
SELECT n, a.id, p.id, p.ipv4, CASE n WHEN {renewed} THEN 'heartbeat' ELSE 'ayiya' END::broker.tunnel_type,
	('2001:db8:2ff:' || to_hex(n) || '::/64')::cidr
FROM generate_series({first}, {last}) n, broker.account a, broker.pop p"""


def silently(net, *statements):
    net.db.sql(SILENTLY.format("; ".join(statements)))


def secrets(net):
    """The secrets in use, by tunnel."""
    return {int(n): secret.encode() for n, secret in net.db.sql(f"SELECT id, secret FROM broker.tunnel WHERE id >= {FIRST}")}


def keys_of(*texts):
    return {new(text).digest() for text in texts for new in (hashlib.sha1, hashlib.sha256)}


@contextlib.contextmanager
def stopped(pid):
    """The process does not run meanwhile, so that its memory is that of one moment."""
    def is_stopped():
        return all(pathlib.Path(task, "stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] == "T"
                   for task in pathlib.Path(f"/proc/{pid}/task").iterdir())
    os.kill(pid, signal.SIGSTOP)
    try:
        until(is_stopped, 5, "popd to stop")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def writable_memory(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            where, mode, *_ = line.split()
            if mode.startswith("rw"):
                begin, end = (int(part, 16) for part in where.split("-"))
                memory.seek(begin)
                yield memory.read(end - begin)


def hex_texts(block):
    """Every run of 32 hexadecimal digits."""
    for digits in block.translate(ONLY_DIGITS).split():
        for begin in range(len(digits) - 31):
            yield digits[begin:begin + 32]


def found(pid, texts, keys):
    """The secrets and keys, of those given, that are in the memory of the process."""
    seen = set()
    with stopped(pid):
        for block in writable_memory(pid):
            seen.update(text for text in hex_texts(block) if text in texts)
            seen.update(key for key in keys if key in block)
    return seen


def use(net, tunnel):
    """Packets to and fro: the workers hash with the keys, too."""
    with udp_socket(net.client) as sock:
        for algorithm in ("sha256", "sha1"):
            tunnel.exchange(sock, ident=7, algorithm=algorithm)


def assert_gone_after_a_full_reload(net, popd):
    used, renewed = net.tunnel(FIRST), net.tunnel(RENEWED)
    use(net, used)
    with udp_socket(net.client) as sock:
        sock.sendto(renewed.beat(), (POP_IPV4, 3740))
    until(lambda: renewed.shown()["state"] == "up", slow(3), "the heartbeat to be heard")
    net.popctl("reload")
    before = secrets(net)
    old_texts = {text for n, text in before.items() if n != KEPT}
    old_keys = keys_of(before[FIRST], before[RENEWED], before[LAST // 2])
    assert found(popd.pid, old_texts, old_keys) == old_texts | old_keys, "the search finds what is there"

    silently(net, f"DELETE FROM broker.tunnel WHERE id BETWEEN {FIRST} AND {LAST - 2}", f"UPDATE broker.tunnel SET secret = md5(secret) WHERE id = {RENEWED}")
    net.popctl("reload")
    assert net.popctl("tunnel", "show", used.name, check=False).returncode == 1
    after = secrets(net)
    texts, keys = {*after.values()}, keys_of(*after.values())
    assert set(after) == {RENEWED, KEPT} and not texts & old_texts

    def wiped():
        left = found(popd.pid, texts | old_texts, keys | old_keys)
        assert left >= texts | keys, "the search finds what is there"
        left -= texts | keys
        assert not left, f"{len(left & old_texts)} of {len(old_texts)} texts and {len(left & old_keys)} of {len(old_keys)} keys are still there"
        return True
    until(wiped, 15, "the secrets to be gone")


@pytest.fixture
def tunnels(net, popd):
    silently(net, ADD.format(first=FIRST, last=LAST, renewed=RENEWED), TELL)
    net.tunnel(LAST).known()
    yield popd
    silently(net, f"DELETE FROM broker.tunnel WHERE id >= {FIRST}", TELL)


def test_secrets_that_came_from_the_database_are_gone_after_a_full_reload(net, tunnels):
    assert_gone_after_a_full_reload(net, tunnels)


def test_secrets_that_came_from_the_snapshot_are_gone_after_a_full_reload(net, tunnels):
    assert tunnels.stop() == 0
    tunnels.start()
    net.popd.loaded()
    assert "read from the snapshot" in tunnels.log()
    assert_gone_after_a_full_reload(net, tunnels)
