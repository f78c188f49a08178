"""starttls: versions, no tickets, injection, long lists, and the renewal of the certificate."""
import re
import select
import signal
import ssl
import subprocess
import time
import warnings

import pytest

from support.daemons import Ticd
from support.sockets import read_all
from support.wait import until
from support.world import certificate


@pytest.fixture
def ticd(start, certificates):
    return start(tls_certificate=certificates[0][0], tls_key=certificates[0][1])


def context(version=None, old=False, ciphers=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if old or ciphers:
            made.set_ciphers(ciphers or "DEFAULT:@SECLEVEL=0")
        if version:
            made.minimum_version = made.maximum_version = version
    return made


def in_tls(ticd, **options):
    tic = ticd.tic()
    tic.ask("client TIC/draft-00 Tester/1.0 Linux/6.1", "200")
    tic.ask("starttls", "200")
    tic.sock = context(**options).wrap_socket(tic.sock)
    return tic


def common_name(tic):
    pem = ssl.DER_cert_to_PEM_cert(tic.sock.getpeercert(binary_form=True))
    done = subprocess.run(["openssl", "x509", "-noout", "-subject"], input=pem, capture_output=True, text=True, check=True)
    return done.stdout.strip().rpartition("CN = ")[2]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_versions_work_and_send_no_tickets(ticd, version):
    tic = in_tls(ticd, version=version)
    assert tic.sock.version() == version.name.replace("_", ".")
    # a ticket would be in the socket now, or have come with the handshake
    assert select.select([tic.sock], [], [], 0.2)[0] == [] and tic.sock.pending() == 0
    assert not tic.sock.session.has_ticket
    assert " from 127.0.0.1" in tic.login("DEMO", Ticd.SECRET)
    assert len(tic.tunnels()) == 3
    assert tic.quit().startswith("200 ")
    until(lambda: "logged in using md5 over TLS" in ticd.log(), 5, "the log")


def test_clear_password_works_inside_tls(ticd):
    tic = in_tls(ticd)
    assert "using clear as DEMO" in tic.login("DEMO", Ticd.SECRET, "clear")
    tic = in_tls(ticd)
    with pytest.raises(AssertionError, match="500 Login failed"):
        tic.login("DEMO", "wrong", "clear")


def test_old_versions_are_a_setting(ticd, start, certificates):
    with pytest.raises((ssl.SSLError, OSError)):
        in_tls(ticd, version=ssl.TLSVersion.TLSv1_1, old=True)
    old = start(tls_certificate=certificates[0][0], tls_key=certificates[0][1], tls_old_versions="yes")
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_3):
        tic = in_tls(old, version=version, old=True)
        tic.login("DEMO", Ticd.SECRET)


FORWARD_SECRET, RSA_ONLY = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA", "AES256-GCM-SHA384:AES128-GCM-SHA256:AES128-SHA"


@pytest.fixture(scope="module")
def rsa_certificate(tmp_path_factory):
    """Only a key of this kind can decrypt without taking part."""
    return certificate(tmp_path_factory.mktemp("rsa"), "rsa", "rsa.example.net", kind="rsa")


@pytest.mark.parametrize("old_versions", ["no", "yes"])
def test_tls_without_forward_secrecy_is_refused(start, rsa_certificate, old_versions):
    """The same client, asked once for ciphers in which the server's key alone decrypts what was recorded, and once for others."""
    ticd = start(tls_certificate=rsa_certificate[0], tls_key=rsa_certificate[1], tls_old_versions=old_versions)
    versions = [ssl.TLSVersion.TLSv1_2] + [ssl.TLSVersion.TLSv1] * (old_versions == "yes")
    for version in versions:
        with pytest.raises((ssl.SSLError, OSError)):
            in_tls(ticd, version=version, ciphers=f"{RSA_ONLY}:@SECLEVEL=0")
        tic = in_tls(ticd, version=version, ciphers=f"{FORWARD_SECRET}:@SECLEVEL=0")
        assert tic.sock.cipher()[0].startswith("ECDHE-"), tic.sock.cipher()
        tic.login("DEMO", Ticd.SECRET)
    # what old clients have: a finite field's group, only where old versions are allowed
    if old_versions == "yes":
        in_tls(ticd, version=ssl.TLSVersion.TLSv1, ciphers="DHE-RSA-AES128-SHA:@SECLEVEL=0").login("DEMO", Ticd.SECRET)
    else:
        with pytest.raises((ssl.SSLError, OSError)):
            in_tls(ticd, version=ssl.TLSVersion.TLSv1_2, ciphers="DHE-RSA-AES128-GCM-SHA256")


def test_list_of_200_is_a_record_a_line(ticd):
    tic = in_tls(ticd)
    tic.login("MANY", Ticd.SECRET)
    tic.send("tunnel list")
    records = []
    while not records or records[-1] != b"202 Done\n":
        records.append(tic.sock.recv(16384))
    assert len(records) == 202
    assert all(record.count(b"\n") == 1 and record.endswith(b"\n") for record in records)
    assert all(re.fullmatch(rb"T1\d{3} \S+ ayiya demo01\n", record) for record in records[1:-1])


def test_pipelined_lines_inside_tls_are_all_answered(ticd):
    tic = in_tls(ticd)
    tic.sock.sendall(b"get unixtime\n" * 1000 + b"quit\n")
    assert read_all(tic.sock).count(b"\n") == 1001


@pytest.mark.parametrize("injected", [b"username DEMO\n", b"\n", b"get unixtime\r\nquit\r\n", b"\x16\x03\x01\x00\x05hello"],
                         ids=["line", "empty line", "lines", "handshake"])
def test_bytes_behind_starttls_close_the_connection(ticd, injected):
    sock = ticd.connect()
    sock.sendall(b"starttls\r\n" + injected)
    answer = read_all(sock).decode()
    assert answer.splitlines()[1].startswith("500 Nothing may be sent between starttls and its answer")
    assert "\n200 " not in answer
    until(lambda: "it sent clear text between starttls and its answer" in ticd.log(), 5, "the log")


def test_plain_text_instead_of_a_handshake_ends_it(ticd):
    tic = ticd.tic()
    tic.ask("starttls", "200")
    tic.send("username DEMO")
    tic.send("challenge md5")
    answer = read_all(tic.sock)
    assert b"200" not in answer and b"500" not in answer  # an alert at most


def test_handshake_that_never_comes_is_timed_out(start, certificates):
    ticd = start(tls_certificate=certificates[0][0], tls_key=certificates[0][1], login_timeout=1)
    tic = ticd.tic()
    tic.ask("starttls", "200")
    began = time.monotonic()
    assert tic.sock.recv(1) == b""
    assert time.monotonic() - began < 3


def test_second_starttls_is_refused(ticd):
    tic = in_tls(ticd)
    assert "already" in tic.ask("starttls", "500")
    tic.login("DEMO", Ticd.SECRET)


def test_certificate_is_renewed_at_a_hangup(ticd, certificates, tmp_path):
    before = in_tls(ticd)
    assert common_name(before) == "one.example.net"
    ticd.configure(tls_certificate=certificates[1][0], tls_key=certificates[1][1])
    ticd.signal(signal.SIGHUP)
    until(lambda: common_name(in_tls(ticd)) == "two.example.net", 5, "the new certificate")
    before.login("DEMO", Ticd.SECRET)  # the old connection goes on

    # unusable ones: not a certificate, a key of another one, a missing file
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for n, (cert, key) in enumerate(((broken, certificates[1][1]), (certificates[0][0], certificates[1][1]), (tmp_path / "none", certificates[1][1]))):
        ticd.configure(tls_certificate=cert, tls_key=key)
        ticd.signal(signal.SIGHUP)
        until(lambda: ticd.log().count("the current certificate stays in use") == n + 1, 5, "the refusal in the log")
        assert common_name(in_tls(ticd)) == "two.example.net"

    # the same file names with new content, as certbot writes them
    renewed = certificate(tmp_path, "renewed", "three.example.net")
    ticd.configure(tls_certificate=renewed[0], tls_key=renewed[1])
    ticd.signal(signal.SIGHUP)
    until(lambda: common_name(in_tls(ticd)) == "three.example.net", 5, "the third certificate")
    certificate(tmp_path, "renewed", "four.example.net")
    ticd.signal(signal.SIGHUP)
    until(lambda: common_name(in_tls(ticd)) == "four.example.net", 5, "the fourth certificate")

    # and no certificate
    ticd.configure(tls_certificate="", tls_key="")
    ticd.signal(signal.SIGHUP)
    until(lambda: ticd.tic().ask("starttls", "500"), 5, "no TLS")
    assert before.tunnels()


def test_goodbye_comes_before_the_end_of_tls(ticd):
    tic = in_tls(ticd)
    tic.send("quit")
    assert tic.line() == "200 Bye"
    assert tic.sock.recv(1) == b""  # close_notify: ssl would raise at a bare FIN
