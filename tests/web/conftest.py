import pathlib

import pytest

from support.daemons import Webd
from support.database import Postgres
from support.wait import until

HERE = pathlib.Path(__file__).resolve().parent


def with_pops(db):
    db.migrate()
    db.sql((HERE / "pops.sql").read_text(encoding="utf-8"))
    return db


@pytest.fixture(scope="session")
def db():
    """A database with the PoPs of pops.sql that nobody stops."""
    with Postgres() as made:
        yield with_pops(made)


@pytest.fixture
def own_db():
    """The same for one test, to stop and start."""
    with Postgres() as made:
        yield with_pops(made)


@pytest.fixture(scope="session")
def site(db, tmp_path_factory):
    """A webd that nobody stops, with data."""
    made = Webd(tmp_path_factory.mktemp("webd"), db.conninfo("webd")).start()
    try:
        until(lambda: made.get("/pops/nlams01").text.count("<tr") > 1, 10, "the first history")
        yield made
    finally:
        ended_well(made)


@pytest.fixture
def make_site(db, tmp_path):
    """make_site(conninfo, **settings) gives a webd of the test's own, running unless start is
    False."""
    made = []

    def make(conninfo=None, start=True, **settings):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Webd(folder, conninfo or db.conninfo("webd"), **settings))
        return made[-1].start() if start else made[-1]

    yield make
    for site in made:
        ended_well(site)


def ended_well(site):
    """A status that is not 0 is a finding, a sanitizer's perhaps."""
    status = site.stop()
    assert status in (0, None), f"webd ended with {status}:\n{site.log()[-4000:]}"
