"""Fixtures that tests/net and tests/web share. The world itself is in tests/support."""
import pytest

from support import machine
from support.database import Postgres


@pytest.fixture(scope="session")
def root():
    if not machine.may_make_namespaces():
        pytest.skip("needs root for namespaces")


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL of the module's own, its database `broker` migrated: the tests may stop it."""
    with Postgres() as made:
        made.migrate()
        yield made
