import itertools

import pytest

from support.daemons import Ticd
from support.database import digests
from support.world import World, certificate


@pytest.fixture(scope="module")
def net(root):
    """A world; nothing of the broker runs but its database."""
    with World() as made:
        yield made


@pytest.fixture(scope="module")
def world(root):
    """A world in which everything runs."""
    with World(workers=1, log_level="debug") as made:
        yield made.start_all()


@pytest.fixture
def clients(world):
    """The world; tunnel clients of one test do not outlive it."""
    yield world
    world.drop_clients()


@pytest.fixture
def popd(net):
    """A popd that runs and has all from the database, whatever the test before did to it."""
    if not net.popd.is_running():
        net.popd.restart()
    net.popd.loaded()
    return net.popd


# ---- databases of a test's own

numbers = itertools.count(1)


@pytest.fixture
def blank(server):
    """A database nobody has migrated."""
    made = server.create(f"blank{next(numbers)}")
    yield made
    made.drop()


@pytest.fixture
def broker(server):
    """A migrated database without PoPs and accounts."""
    made = server.create(f"broker{next(numbers)}", server.dbname)
    yield made
    made.drop()


# ---- ticd on the loopback

@pytest.fixture(scope="module")
def database(server):
    """One PoP, DEMO (three tunnels, one of each type, T1 to T3; a subnet on T1) and MANY (200 tunnels from T1001 on)."""
    server.allow_any_number_of_logins()
    server.add_pop(country="CH", isp="DEMO", isp_name="Demo Networks", isp_website="http://demo.example.net", isp_asn="AS64500", isp_lir="net.demo")
    for handle in ("DEMO", "MANY", "OFTEN"):
        server.add_user(handle, Ticd.SECRET, name=f"{handle.title()} Tester", credit=1000)
    for kind, endpoint in (("ayiya", None), ("heartbeat", None), ("static", "192.0.2.7")):
        server.add_tunnel(kind, endpoint)
    server.approve("subnet", "request", "DEMO", "T1")
    tunnels = "".join(f"config {1000 + n:x} T{1000 + n} ayiya up 1280 {n:032x}\n" for n in range(1, 201))
    server.ticctl("import", "-", "--owner", "MANY", "--pop", "demo01", stdin=tunnels)
    return server


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    return [certificate(folder, name, f"{name}.example.net") for name in ("one", "two")]


@pytest.fixture
def start(database, tmp_path):
    """start(**settings) gives a running ticd; each must end with status 0, which a leak or a sanitizer's finding would prevent."""
    running = []

    def make(**settings):
        folder = tmp_path / str(len(running))
        folder.mkdir()
        running.append(Ticd(folder, database.conninfo("ticd"), **settings).start())
        return running[-1]

    yield make
    for daemon in running:
        if daemon.process.returncode is None:
            assert daemon.stop() == 0, daemon.log()[-4000:]
        for forbidden in (Ticd.SECRET, *digests(Ticd.SECRET)):
            assert forbidden not in daemon.log()


@pytest.fixture
def ticd(start):
    return start()
