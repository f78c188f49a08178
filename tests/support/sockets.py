"""Sockets in a test's namespaces."""
import contextlib
import socket
import time

ETH_IPV6 = 0x86DD


def free_port(address="127.0.0.1"):
    """A TCP port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind((address, 0))
        return sock.getsockname()[1]


def open_socket(space, *kind, address=None, timeout=0.2):
    """A socket of `kind` (family, type, protocol) in a namespace."""
    with space.inside():
        sock = socket.socket(*kind)
    if address:
        sock.bind(address)
    sock.settimeout(timeout)
    return sock


@contextlib.contextmanager
def udp_socket(space, address="192.0.2.2", port=0):
    with open_socket(space, socket.AF_INET, socket.SOCK_DGRAM, address=(address, port)) as sock:
        yield sock


@contextlib.contextmanager
def raw41_socket(space, address="192.0.2.2"):
    with open_socket(space, socket.AF_INET, socket.SOCK_RAW, 41, address=(address, 0)) as sock:
        yield sock


@contextlib.contextmanager
def ipv6_tap(space, device):
    """All IPv6 packets of a device, both ways."""
    with open_socket(space, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_IPV6), address=(device, 0)) as sock:
        yield sock


def send_ipv4(space, packet):
    """A whole IPv4 packet, from the source address in its header."""
    with open_socket(space, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        sock.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))


def send_ipv6(space, packet):
    with open_socket(space, socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        sock.sendto(packet, (socket.inet_ntop(socket.AF_INET6, packet[24:40]), 0))


def send_udp(space, destination, payload, source_port=0):
    """One datagram to (address, port); returns the socket's own port."""
    with open_socket(space, socket.AF_INET, socket.SOCK_DGRAM, address=("0.0.0.0", source_port)) as sock:
        sock.sendto(payload, destination)
        return sock.getsockname()[1]


def receive(sock, accepts, seconds=3):
    """The first datagram for which `accepts` is true, or None."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            data = sock.recv(70000)
        except TimeoutError:
            continue
        if accepts(data):
            return data
    return None


def read_all(sock):
    """Everything until the other side closes. A reset fails the test: it could have eaten an
    answer."""
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data
