"""Packets made by hand with struct, from the documents alone."""
import socket
import struct


def packed(address):
    return socket.inet_pton(socket.AF_INET6, address)


def sum16(data):
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def fold(total):
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def checksum(data):
    return ~fold(sum16(data + b"\0" * (len(data) % 2))) & 0xFFFF


def upper_checksum(source, destination, proto, data):
    return checksum(packed(source) + packed(destination) + struct.pack("!II", len(data), proto) + data)


def ipv4(source, destination, proto, payload, ttl=64):
    """With the fields for the kernel to fill in left 0, as a raw socket wants it."""
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, ttl, proto, 0, *map(socket.inet_aton, (source, destination))) + payload


def ipv6(source, destination, proto, payload, hops=64):
    return struct.pack("!IHBB", 6 << 28, len(payload), proto, hops) + packed(source) + packed(destination) + payload


def echo(source, destination, ident=1, sequence=1, data=b"x" * 32, hops=64):
    """An ICMPv6 echo request."""
    body = struct.pack("!BBHHH", 128, 0, 0, ident, sequence) + data
    body = body[:2] + struct.pack("!H", upper_checksum(source, destination, 58, body)) + body[4:]
    return ipv6(source, destination, 58, body, hops)


def reply_to(packet):
    """The echo reply of a host to an echo request."""
    source, destination = (socket.inet_ntop(socket.AF_INET6, packet[i:i + 16]) for i in (24, 8))
    body = bytes([129, 0, 0, 0]) + packet[44:]
    body = body[:2] + struct.pack("!H", upper_checksum(source, destination, 58, body)) + body[4:]
    return ipv6(source, destination, 58, body)


def is_echo_reply(packet, source, ident, sequence=1):
    """A well-formed echo reply from `source` with its checksum right."""
    if len(packet) < 48 or packet[6] != 58 or packet[40] != 129 or struct.unpack("!HH", packet[44:48]) != (ident, sequence):
        return False
    here, there = (socket.inet_ntop(socket.AF_INET6, packet[i:i + 16]) for i in (8, 24))
    assert upper_checksum(here, there, 58, packet[40:]) == 0, "checksum of an echo reply"
    return packed(source) == packet[8:24]
