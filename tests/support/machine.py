"""What the machine that runs the tests offers."""
import glob
import os
import socket


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
