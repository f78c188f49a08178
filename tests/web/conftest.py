import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))

from site_under_test import Site  # noqa: E402
from support.postgres import Postgres  # noqa: E402
from support.wait import until  # noqa: E402

# What every page, status and method must have in common is tried on all of these: (path, status).
PAGES = [("/", 200), ("/pops/status", 200), ("/pops/nlams01", 200), ("/pops/uschi02", 200), ("/pops/dedus01", 200), ("/pops/evil66", 200),
         ("/nosuch", 404), ("/pops/nosuch", 404)]
OTHERS = [("/healthz", 200), ("/pops/status.json", 200), ("/static/style.css", 200), ("/static/favicon.svg", 200), ("/favicon.ico", 200), ("/pops", 308)]


def with_pops(db):
    db.migrate()
    db.sql((HERE / "pops.sql").read_text(encoding="utf-8"))
    return db


@pytest.fixture(scope="session")
def db():
    """A database with the PoPs of pops.sql that nobody stops."""
    made = Postgres()
    try:
        yield with_pops(made)
    finally:
        made.remove()


@pytest.fixture(scope="session")
def site(db):
    """A webd that nobody stops, with data."""
    made = Site(db.conninfo("webd")).start()
    try:
        until(lambda: made.get("/pops/nlams01").text.count("<tr") > 1, 10, "the first history")
        yield made
    finally:
        made.remove()


@pytest.fixture
def own_db():
    """A database of the test's own, to stop and start."""
    made = Postgres()
    try:
        yield with_pops(made)
    finally:
        made.remove()


@pytest.fixture
def make_site(db):
    """Starts a webd of the test's own: make_site(conninfo=..., limits=...)."""
    made = []

    def make(conninfo=None, start=True, **settings):
        made.append(Site(conninfo or db.conninfo("webd"), **settings))
        return made[-1].start() if start else made[-1]

    try:
        yield make
    finally:
        for site in made:
            site.remove()
