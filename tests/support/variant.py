"""
The variant of popd and of its surroundings that all tests are run with: tests/matrix.sh says it in the environment, tests that write
a configuration or make an outer device ask here. Nothing said: popd as it comes.

    BROKER_TEST_POPD   settings, as in popd.conf, separated by semicolons: "tun_tso = no; workers = 1". A test whose subject is one of
                       them sets it itself, and that wins.
    BROKER_TEST_GRO    on or off: receive offload of the device that outer packets come by; empty: as the device comes.
"""
import os


def settings():
    """The variant's settings by name."""
    pairs = [part.split("=", 1) for part in os.environ.get("BROKER_TEST_POPD", "").split(";") if part.strip()]
    return {name.strip(): value.strip() for name, value in pairs}


def outer_gro():
    return os.environ.get("BROKER_TEST_GRO", "")


def set_outer(space, device):
    """Makes the outer device what the variant wants of it."""
    if outer_gro():
        space.run("ethtool", "-K", device, "gro", outer_gro())
    if settings().get("bpf_encap") == "yes":
        # a virtual device leaves checksums to who reads the packet, which a client with a raw socket is not up to; a real one computes them
        space.run("ethtool", "-K", device, "tx", "off")


def lines(keys):
    """Settings as the lines of a file."""
    return "".join(f"{name} = {value}\n" for name, value in keys.items())
