"""What the machine that runs the tests offers, and its kernel."""
import errno
import fcntl
import functools
import glob
import os
import socket
import struct

TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x1, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_USO4, TUN_F_USO6 = 0x01, 0x20, 0x40
SOL_UDP, UDP_SEGMENT = 17, 103


def may_make_namespaces():
    return os.geteuid() == 0


def has_ipv6_loopback():
    with socket.socket(socket.AF_INET6) as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            return False
        return True


def faketime_library(libraries="/usr/lib"):
    """The path of libfaketime, to be preloaded into a program whose clock the test sets."""
    found = glob.glob(f"{libraries}/*/faketime/libfaketime.so.1")
    assert found, "the package faketime is not installed"
    return found[0]


@functools.cache
def has_uso():
    """True when merged UDP datagrams may have a vnet header, on a TUN and on a packet socket (Linux 6.2). As root."""
    with open("/dev/net/tun", "r+b", buffering=0) as tun:
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"brkuso%d", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR))
        try:
            fcntl.ioctl(tun, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6)
        except OSError as error:
            assert error.errno == errno.EINVAL, error
            return False
        return True


def sends_merged(space, address):
    """True when the kernel of a namespace takes two datagrams in one call (UDP_SEGMENT) for `address`. Before Linux 6.11 it refuses when
    the device does not compute checksums."""
    with space.inside():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        try:
            sock.sendmsg([bytes(200)], [(SOL_UDP, UDP_SEGMENT, struct.pack("H", 100))], 0, (address, 9))
        except OSError as error:
            assert error.errno == errno.EIO, error
            return False
        return True
