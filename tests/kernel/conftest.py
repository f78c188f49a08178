"""For the guest only: these tests load and unload modules of the kernel."""
import pathlib

import pytest

from support.netns import run
from support.world import World

FALLBACK = pathlib.Path("/proc/sys/net/core/fb_tunnels_only_for_init_net")


# what takes protocol 41 from popd, after what holds it
HOLDERS = ("sit", "ipip", "ip_vti", "xfrm_interface", "xfrm4_tunnel", "tunnel4")


def unload():
    for name in HOLDERS:
        run("modprobe", "-r", name, check=False)
    with open("/proc/modules") as loaded:
        assert not {line.split()[0] for line in loaded} & set(HOLDERS)


@pytest.fixture(scope="module")
def modules():
    """load(*names) loads modules of the kernel, load() unloads them, as does the end. New namespaces do not get a sit0."""
    before = FALLBACK.read_text()
    FALLBACK.write_text("1")
    unload()
    yield lambda *names: run("modprobe", "-a", *names) if names else unload()
    unload()
    FALLBACK.write_text(before)


@pytest.fixture(scope="module")
def net(modules):
    with World(workers=2, log_level="debug") as made:
        yield made
