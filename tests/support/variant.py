"""
The variant of popd and of its surroundings that all tests are run with: tests/matrix.sh sets it
in the environment, the world reads it here. Unset: popd with its defaults.

    BROKER_TEST_POPD   settings, as in popd.conf, separated by semicolons: "tun_tso = no; workers = 1". A test whose subject is one of
                       them sets it itself, and the test's setting wins.
    BROKER_TEST_GRO    on or off: receive offload of the devices that outer packets arrive by; empty: as the device comes.
"""
import os


def settings():
    """The variant's settings by name."""
    pairs = [part.split("=", 1) for part in os.environ.get("BROKER_TEST_POPD", "").split(";") if part.strip()]
    return {name.strip(): value.strip() for name, value in pairs}


def outer_gro():
    return os.environ.get("BROKER_TEST_GRO", "")


def set_outer(space, device):
    """Sets an outer device up as the variant wants it."""
    if outer_gro():
        space.run("ethtool", "-K", device, "gro", outer_gro())
    if settings().get("bpf_encap") == "yes":
        # a virtual device leaves checksums to the reader, which a client with a raw socket does not
        # do; a real device computes them
        space.run("ethtool", "-K", device, "tx", "off")
