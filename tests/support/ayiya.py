"""AYIYA and heartbeats as the drafts and the stock client have them, written from those alone."""
import hashlib
import socket
import struct
import time

NOOP, FORWARD, ECHO_REQUEST, ECHO_REQUEST_FORWARD, ECHO_RESPONSE = 0, 1, 2, 3, 4
IPV6, NONE = 41, 59
METHODS = {"sha1": (0x52, hashlib.sha1, 20), "sha256": (0x84, hashlib.sha256, 32)}


def build(identity, secret, payload=b"", opcode=FORWARD, epoch=None, method="sha1", next_header=None):
    """A signed datagram. `identity`: IPv6 text; `secret`: the tunnel's password as text."""
    sig, hash_of, _ = METHODS[method]
    if next_header is None:
        next_header = IPV6 if payload else NONE
    head = struct.pack("!BBBBI16s", 0x41, sig, 0x10 | opcode, next_header, int(time.time() if epoch is None else epoch),
                       socket.inet_pton(socket.AF_INET6, identity))
    key = hash_of(secret.encode()).digest()
    return head + hash_of(head + key + payload).digest() + payload


class Refused(ValueError):
    """A datagram that a stock client would not take."""


def parse(datagram, identity, secret, now=None):
    """Checks a PoP's datagram as strictly as the stock client does; returns (opcode, next header,
    payload, method)."""
    if len(datagram) < 44:
        raise Refused("shorter than a header")
    names = {sig: name for name, (sig, _, _) in METHODS.items()}
    if datagram[0] != 0x41 or datagram[1] not in names or datagram[2] >> 4 != 1:
        raise Refused(f"header {datagram[:4].hex()}")
    method = names[datagram[1]]
    _, hash_of, length = METHODS[method]
    if datagram[8:24] != socket.inet_pton(socket.AF_INET6, identity):
        raise Refused("not the PoP's identity")
    epoch = struct.unpack("!I", datagram[4:8])[0]
    if abs(epoch - (time.time() if now is None else now)) > 120:
        raise Refused("clock")
    body = datagram[24 + length:]
    key = hash_of(secret.encode()).digest()
    if hash_of(datagram[:24] + key + body).digest() != datagram[24:24 + length]:
        raise Refused("signature")
    return datagram[2] & 15, datagram[3], body, method


def beat(client, secret, address="sender", epoch=None):
    """A heartbeat line as the stock client sends it."""
    text = f"HEARTBEAT TUNNEL {client} {address} {int(time.time() if epoch is None else epoch)} "
    return (text + hashlib.md5((text + secret).encode()).hexdigest()).encode()
