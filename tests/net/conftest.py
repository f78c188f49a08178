import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from popd_fixtures import Net  # noqa: E402
from support.world import World  # noqa: E402


def pytest_collection_modifyitems(items):
    for item in items:
        if os.getuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root for namespaces"))


@pytest.fixture(scope="module")
def world():
    made = World()
    try:
        yield made.broker()
    finally:
        made.remove()


@pytest.fixture
def clients(world):
    """The world; tunnel clients of one test do not outlive it."""
    yield world
    world.drop_clients()


@pytest.fixture(scope="module")
def net():
    """popd's surroundings, without the rest of the broker; popd is not started yet."""
    made = Net()
    try:
        yield made.prepare()
    finally:
        made.remove()


@pytest.fixture
def popd(net):
    """A popd that runs and has all from the database, whatever the test before did to it."""
    if not net.daemon.is_running():
        net.daemon.start()
    net.loaded()
    return net.daemon
