import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

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
