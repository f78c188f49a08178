"""Packets nobody should send, made by hand (scapy) and sent from a namespace."""
import logging
import socket

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.layers.inet import IP  # noqa: E402
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6  # noqa: E402
from scapy.packet import Raw  # noqa: E402

from .world import POP_IPV4  # noqa: E402


def echo(source, destination, hop_limit=64, data=b"forged"):
    """An inner ICMPv6 echo request as bytes."""
    return bytes(IPv6(src=source, dst=destination, hlim=hop_limit) / ICMPv6EchoRequest(id=77, seq=1, data=data))


def protocol41(world, outer_source, source, destination, space=None, payload=None):
    """One protocol-41 packet from `space` (default: the direct one); `payload` replaces the inner packet."""
    inner = echo(source, destination) if payload is None else payload
    with (space or world.direct).inside():
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with s:
        s.sendto(bytes(IP(src=outer_source, dst=POP_IPV4, proto=41, ttl=64) / Raw(inner)), (POP_IPV4, 0))


def udp(world, port, payload, space=None, source_port=0):
    """One UDP datagram to the PoP; returns the socket's own port."""
    with (space or world.direct).inside():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("0.0.0.0", source_port))
    with s:
        s.sendto(payload, (POP_IPV4, port))
        return s.getsockname()[1]
