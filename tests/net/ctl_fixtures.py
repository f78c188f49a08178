"""A PostgreSQL of the module's own and, for each test, a database of its own in it, with ticctl as a hand on it."""
import itertools
import json
import os
import subprocess

import pytest

from support.paths import program
from support.postgres import Postgres


class Broker:
    """One database. Commands run as the role operator unless told otherwise."""

    def __init__(self, server, dbname):
        self.server, self.dbname = server, dbname

    def conninfo(self, user="operator"):
        return self.server.conninfo(user, self.dbname)

    def run(self, *words, user="operator", stdin=None, stdout=subprocess.PIPE):
        env = {name: value for name, value in os.environ.items() if name not in ("DB", "BROKER_DB")}
        return subprocess.run([program("ticctl"), *words], env=env | {"DB": self.conninfo(user)}, input=stdin,
                              stdout=stdout, stderr=subprocess.PIPE, encoding="utf-8", timeout=120)

    def ok(self, *words, **more):
        """What a command that has to succeed printed, without the last line end."""
        done = self.run(*words, **more)
        assert (done.returncode, done.stderr) == (0, ""), f"ticctl {' '.join(words)}: {done.stderr}"
        assert done.stdout.endswith("\n")
        return done.stdout[:-1]

    def json(self, *words, **more):
        return json.loads(self.ok("--json", *words, **more))

    def refused(self, *words, **more):
        """The sentence of a command that has to be refused or fail; nothing may stand on standard output."""
        done = self.run(*words, **more)
        assert (done.returncode, done.stdout) == (1, ""), f"ticctl {' '.join(words)}: {done}"
        assert done.stderr.startswith("ticctl: ") and done.stderr.count("\n") == 1
        return done.stderr[len("ticctl: "):-1]

    def usage(self, *words):
        """Standard error's lines of a command line that has to be refused as such."""
        done = self.run(*words)
        assert (done.returncode, done.stdout) == (2, ""), f"ticctl {' '.join(words)}: {done}"
        return done.stderr.splitlines()

    def sql(self, text):
        return self.server.sql(text, dbname=self.dbname)

    def rule(self, door):
        """The sentence with which a door, called as SQL, refuses the operator."""
        done = subprocess.run(["psql", "-X", "-q", "-d", self.conninfo(), "-c", f"select * from api.{door}"], capture_output=True, text=True)
        assert done.returncode == 1 and done.stderr.startswith("ERROR:  "), done
        return done.stderr.splitlines()[0].removeprefix("ERROR:  ")

    # ---- what most tests begin with

    def add_pop(self, name="demo01", number=0):
        """A PoP; `number` keeps the addresses of several apart."""
        return self.ok("pop", "add", name, "--ipv4", f"192.0.2.{42 + number}", "--ipv6", f"2001:db8:{0x2ff + number:x}:ffff::1",
                       "--tunnels", f"2001:db8:{0x2ff + number:x}::/48", "--subnets", f"2001:db8:{0x3000 + 0x1000 * number:x}::/40",
                       "--city", "Zürich", "--country", "Switzerland")

    def add_user(self, handle="DEMO", **options):
        extra = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return self.ok("user", "add", handle, "--name", "Zoë Demo", "--email", "zoe@example.net", *extra)

    def approve(self, *request):
        """Requests (words after ticctl) and approves; returns the approval's message."""
        asked = self.json(*request)
        return self.ok("request", "approve", str(asked["request"]))


@pytest.fixture(scope="module")
def server():
    made = Postgres()
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def template(server):
    """The name of a migrated database, to be copied."""
    server.migrate()
    return "broker"


numbers = itertools.count(1)


@pytest.fixture
def blank(server):
    """A database nobody has migrated."""
    name = f"blank{next(numbers)}"
    server.sql(f"create database {name}", dbname="postgres")
    yield Broker(server, name)
    server.sql(f"drop database {name} with (force)", dbname="postgres")


@pytest.fixture
def broker(server, template):
    name = f"broker{next(numbers)}"
    server.sql(f"create database {name} template {template}", dbname="postgres")
    yield Broker(server, name)
    server.sql(f"drop database {name} with (force)", dbname="postgres")
