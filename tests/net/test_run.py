"""deploy/run.sh, which "make run" calls: it starts from nothing and from whatever an earlier start left,
stops everything, and refuses in one sentence.

    uplink end (192.0.2.9) ---- veth ---- the machine (192.0.2.10, default route): run.sh with all it starts, in a namespace
"""
import grp
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from support.database import Postgres
from support.netns import Netns, join
from support.paths import BUILD, ROOT
from support.server import HttpServer, Server
from support.sockets import open_socket
from support.tic import Tic
from support.wait import until

ADDRESS = "192.0.2.10"
# every option of AICCU 2007.01.15; another one it would only complain about
AICCU_OPTIONS = set("""username password protocol server ipv6_interface tunnel_id local_ipv4_override setupscript automatic daemonize verbose
    behindnat requiretls noconfigure makebeats defaultroute pidfile""".split())
UNPRIVILEGED = "nobody"
GROUP = "ipv6-broker"
ROLES = ["postgres", "broker", "operator", "popd_demo01", "ticd", "webd"]
NET_ADMIN, NET_RAW, BPF = 1 << 12, 1 << 13, 1 << 39  # the bits of <linux/capability.h>


class Machine:
    """A namespace with an address and a default route, as run.sh wants its machine."""

    def __init__(self, name):
        self.ns, self.uplink = Netns(name), Netns(f"{name}up")
        join(self.ns, "up0", self.uplink, "up1")
        self.ns.address("up0", f"{ADDRESS}/24")
        self.uplink.address("up1", "192.0.2.9/24")
        self.ns.route("default", "via", "192.0.2.9")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ns.remove()
        self.uplink.remove()

    def get(self, path):
        return HttpServer("127.0.0.1", 8080, self.ns).get(path).text

    def pop_state(self):
        return json.loads(self.get("/pops/status.json"))["pops"][0]["state"]


class Run:
    """One run of the script, in a process group of its own as a shell gives it, its output in a
    file."""

    def __init__(self, machine, var, *settings, script=ROOT / "deploy/run.sh", command=None, seconds=60, wrapper=()):
        self.machine, self.var = machine, str(var)
        self.out = tempfile.NamedTemporaryFile(prefix="broker-run-", suffix=".log", delete=False)
        words = command or [str(script), f"VAR={var}", f"BUILD={BUILD}", *settings]
        self.began = time.monotonic()
        self.process = machine.ns.popen(*wrapper, *words, stdout=self.out, stderr=self.out, stdin=subprocess.DEVNULL, start_new_session=True, cwd="/")
        try:
            self._until_it_runs(seconds)
        except BaseException:
            self.destroy()
            raise
        self.took = time.monotonic() - self.began

    def _until_it_runs(self, seconds):
        until(lambda: "The broker runs" in self.said() or self.process.poll() is not None, seconds, "run.sh to say that the broker runs")
        assert self.process.poll() is None, self.said()
        until(lambda: "logs  " in self.said(), 10, "run.sh to say where the logs are")

    def said(self):
        with open(self.out.name, encoding="utf-8", errors="replace") as f:
            return f.read()

    def value(self, label):
        return re.search(rf"^  {label}  +(.*)$", self.said(), re.M).group(1)

    def processes(self):
        """All that run with this VAR, by pid: the script, what it started, and PostgreSQL's
        children, which stand in its directory."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().replace(b"\0", b" ").decode(errors="replace")
                if self.var in words and "run.sh" not in words or os.path.samefile(f"/proc/{pid}/cwd", f"{self.var}/pg"):
                    found[int(pid)] = words
            except OSError:
                pass
        return found

    def script(self):
        with open(f"{self.var}/lock", encoding="ascii") as f:
            return int(f.read())

    def end(self, number=signal.SIGTERM, group=True, seconds=40):
        """Asks it to stop and returns the exit status; nothing of it may be left."""
        if self.process.poll() is None:
            if group:
                os.killpg(self.process.pid, number)
            else:
                os.kill(self.script(), number)
        try:
            status = self.process.wait(seconds)
            assert self.processes() == {}, self.said()
            for name in ["popd", "ticd", "webd"]:
                log = read(f"{self.var}/{name}.log")
                assert "Sanitizer" not in log and "runtime error" not in log, log
            return status
        finally:
            self.destroy()

    def destroy(self):
        """Ends what is left, without asking."""
        for pid in [self.process.pid, *self.processes()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(10)
        until(lambda: not self.processes(), 10, "everything to be gone")
        self.out.close()
        if os.path.exists(self.out.name):
            os.unlink(self.out.name)


@pytest.fixture(scope="module")
def machine(root):
    with Machine("run") as made:
        yield made


@pytest.fixture(scope="module")
def running(root, directory):
    """A broker that runs on a machine of its own, for those who only look at it."""
    with Machine("look") as there:
        broker = Run(there, f"{directory}/running")
        try:
            yield broker
        finally:
            broker.end()


@pytest.fixture(scope="module")
def directory():
    made = tempfile.mkdtemp(prefix="broker-run-", dir="/tmp")
    os.chmod(made, 0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def var(machine, directory):
    """A VAR that a first start has filled."""
    path = f"{directory}/var"
    Run(machine, path).end()
    return path


def status(pid):
    """/proc/PID/status: the words of each line."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return {name: words.split() for name, words in (line.split(":", 1) for line in f)}


def assert_confined(broker, name, user, capabilities):
    """Each process of a daemon is this user's for good and has these capabilities, of those that
    root has here, and no other."""
    found = [pid for pid, words in broker.processes().items() if re.search(rf"(^|/){name}[: ]", words)]
    assert found, broker.processes()
    expected = f"{capabilities & int(status('self')['CapBnd'][0], 16):016x}"
    for pid in found:
        said = status(pid)
        assert (said["Uid"], said["Gid"]) == ([str(user.pw_uid)] * 4, [str(user.pw_gid)] * 4)
        assert {key: said[key] for key in said if key.startswith("Cap")} == dict.fromkeys(["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"], [expected])
        assert said["NoNewPrivs"] == ["1"]


def becoming(user, groups):
    return ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", groups, "--"]


def ask(broker, role, user="root", groups=f"--groups={GROUP}", query="select current_user"):
    """psql as this user of the machine, who wants to log in as this role."""
    conninfo = f"host={broker.var}/run/pg dbname=broker user={role}"
    return broker.machine.ns.run(*becoming(user, groups), "psql", "-X", "-A", "-t", "-d", conninfo, "-c", query, check=False, cwd="/")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def options(path):
    """An AICCU file as AICCU reads it: name, one blank, value."""
    return dict(line.split(" ", 1) for line in read(path).splitlines() if line and not line.startswith("#"))


def test_first_start_prints_addresses_and_files(running):
    assert running.value("status page") == "http://127.0.0.1:8080/pops/status"
    assert running.value("TIC server") == f"{ADDRESS}, port 3874"
    for name in ["popd.conf", "ticd.conf", "webd.conf", "run/popd/popd.sock", "popd.log", "ticd.log", "webd.log", "pg/PG_VERSION"]:
        assert os.path.exists(f"{running.var}/{name}"), name
    assert "demo01" in running.machine.get("/pops/status")
    until(lambda: running.machine.pop_state() == "up", 15, "the PoP to be up")


def test_first_start_writes_an_aiccu_file_for_each_type_that_ticd_agrees_with(running):
    until(lambda: running.machine.pop_state() == "up", 15, "the PoP to be up")
    tic = Tic(Server(ADDRESS, 3874, running.machine.ns).connect())
    tic.starttls()
    tic.login(running.value("account"), running.value("TIC secret"))
    tunnels = {kind: tid for tid, _, kind, pop in tic.tunnels() if pop == "demo01"}
    assert set(tunnels) == {"ayiya", "heartbeat", "192.0.2.1"}
    for kind, file in {"ayiya": "ayiya", "heartbeat": "heartbeat", "192.0.2.1": "static"}.items():
        path = f"{running.var}/aiccu-{file}.conf"
        said = options(path)
        assert set(said) <= AICCU_OPTIONS
        assert os.stat(path).st_mode & 0o077 == 0
        assert (said["username"], said["password"], said["server"]) == ("DEMO", running.value("TIC secret"), ADDRESS)
        assert (said["protocol"], said["tunnel_id"]) == ("tic", tunnels[kind])
        assert tic.tunnel(said["tunnel_id"])["IPv4 POP"] == ADDRESS
    tic.quit()


def test_printed_commands_reach_database_and_pop(running):
    for label, words in {"the operator": "T1", "the PoP": "demo01"}.items():
        command = running.value(label)
        assert command.startswith("sudo ")
        done = running.machine.ns.run("sh", "-c", command.removeprefix("sudo "))
        assert words in done.stdout


@pytest.mark.parametrize("name, user, capabilities", [("popd", "popd", NET_ADMIN | NET_RAW | BPF), ("ticd", "ticd", 0), ("webd", "webd", 0),
                                                      ("postgres", "postgres", 0)])
def test_daemon_runs_as_its_own_user_and_may_do_no_more_than_it_needs(running, name, user, capabilities):
    assert_confined(running, name, pwd.getpwnam(user), capabilities)


@pytest.mark.parametrize("user, own", [("popd", "popd_demo01"), ("ticd", "ticd"), ("webd", "webd"), ("postgres", "postgres")])
def test_user_of_a_daemon_logs_in_as_its_own_role_alone(running, user, own):
    for role in ROLES:
        done = ask(running, role, user)
        if role == own:
            assert (done.returncode, done.stdout) == (0, f"{role}\n"), done
        else:
            assert done.returncode == 2 and f'Peer authentication failed for user "{role}"' in done.stderr, (role, done)


def test_root_logs_in_as_every_role_and_only_postgres_is_a_superuser(running):
    for role in ROLES:
        assert ask(running, role).stdout == f"{role}\n"
    assert ask(running, "postgres", query="select string_agg(rolname, ' ') from pg_roles where rolsuper").stdout == "postgres\n"


def test_nobody_else_reaches_the_sockets(running):
    done = ask(running, "ticd", UNPRIVILEGED, groups="--clear-groups")
    assert done.returncode == 2 and "Permission denied" in done.stderr, done
    done = running.machine.ns.run(*becoming(UNPRIVILEGED, "--clear-groups"), "stat", f"{running.var}/run/popd/popd.sock", check=False)
    assert done.returncode == 1 and "Permission denied" in done.stderr, done


def test_files_belong_to_those_who_use_them(running):
    for path, owner, group, mode in [("popd", "popd", "popd", 0o700), ("run/popd", "popd", "popd", 0o750), ("run/popd/popd.sock", "popd", "popd", 0o660),
                                     ("run/pg", "postgres", GROUP, 0o710), ("pg", "postgres", "postgres", 0o700),
                                     ("popd.conf", "root", "popd", 0o640), ("ticd.conf", "root", "ticd", 0o640), ("tic.pem", "root", "ticd", 0o640),
                                     ("webd.conf", "root", "webd", 0o640), ("popd.log", "popd", "adm", 0o640), ("pg.log", "postgres", "adm", 0o640)]:
        found = os.stat(f"{running.var}/{path}")
        assert (pwd.getpwuid(found.st_uid).pw_name, grp.getgrgid(found.st_gid).gr_name, found.st_mode & 0o7777) == (owner, group, mode), path


def test_second_broker_on_one_directory_is_refused_in_a_sentence(running):
    refuses(running.machine, "already runs", f"VAR={running.var}")


def test_second_start_finds_the_same_data_within_seconds(machine, var):
    secret = read(f"{var}/demo.secret").strip()
    before = options(f"{var}/aiccu-ayiya.conf")
    broker = Run(machine, var)
    try:
        assert broker.took < 20
        assert broker.value("TIC secret") == secret
        assert options(f"{var}/aiccu-ayiya.conf") == before
        assert "approved" not in broker.said()
    finally:
        broker.end()


@pytest.mark.parametrize("number, group", [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_signal_stops_everything_and_puts_the_network_back(machine, var, number, group):
    forwarding = "net.ipv6.conf.all.forwarding"
    machine.ns.run("sysctl", "-qw", f"{forwarding}=0", "net.ipv6.conf.up0.accept_ra=1")
    broker = Run(machine, var)
    try:
        assert machine.ns.run("sysctl", "-n", forwarding, "net.ipv6.conf.up0.accept_ra").stdout.split() == ["1", "2"]
        assert "sixxs" in machine.ns.run("ip", "-o", "link").stdout
    finally:
        assert broker.end(number, group) == 0
    assert machine.ns.run("sysctl", "-n", forwarding, "net.ipv6.conf.up0.accept_ra").stdout.split() == ["0", "1"]
    assert "sixxs" not in machine.ns.run("ip", "-o", "link").stdout


def test_make_run_is_stopped_through_make(machine, var):
    make = ["make", "--no-print-directory", "-C", str(ROOT), f"BUILD={BUILD}", f"SAN={os.environ.get('SAN', '')}", f"VAR={var}", "run"]
    broker = Run(machine, var, command=make, seconds=300)
    broker.end(signal.SIGTERM)


def test_start_after_everything_was_killed(machine, var):
    secret = read(f"{var}/demo.secret")
    first = Run(machine, var)
    first.destroy()
    assert os.path.exists(f"{var}/pg/postmaster.pid"), "the kill left no stale pid file, so this proves nothing"
    second = Run(machine, var)
    assert read(f"{var}/demo.secret") == secret
    second.end()


def test_start_after_the_script_alone_was_killed_clears_up_first(machine, var):
    first = Run(machine, var)
    os.kill(first.script(), signal.SIGKILL)
    first.process.wait(10)
    left = first.processes()
    assert any("/popd " in words for words in left.values()) and any("postgres" in words for words in left.values())
    second = Run(machine, var)
    assert not set(left) & set(second.processes())
    second.end()
    first.destroy()


def test_stale_pid_file_of_another_process_is_no_obstacle(machine, var):
    for name in ["pg/postmaster.pid", "popd.pid", "ticd.pid"]:
        with open(f"{var}/{name}", "w", encoding="ascii") as f:
            f.write(f"{os.getpid()}\n{var}/pg\n0\n5432\n{var}/run\n\n")
    Run(machine, var).end()


@pytest.mark.parametrize("name", ["popd", "postgres"])
def test_daemon_that_dies_takes_the_rest_with_it(machine, var, name):
    broker = Run(machine, var)
    pid = int(read(f"{var}/{'pg' if name == 'postgres' else name}.pid"))
    os.kill(pid, signal.SIGKILL)
    broker.process.wait(40)
    said = broker.said()
    assert broker.end() == 1
    assert f"{'pg' if name == 'postgres' else name} ended by itself" in said


def test_data_of_an_earlier_layout_are_migrated(machine, var, directory):
    """Before, one user had everything but popd's files, which were root's and lay in VAR itself."""
    old = f"{directory}/old"
    shutil.copytree(var, old, ignore=shutil.ignore_patterns("run"))
    secret = read(f"{old}/demo.secret")
    for name in os.listdir(f"{old}/popd"):
        shutil.move(f"{old}/popd/{name}", f"{old}/popd.{name}")
    shutil.rmtree(f"{old}/popd")
    os.mkdir(f"{old}/run", 0o700)
    for path in [f"{old}/popd.sock", f"{old}/run/.s.PGSQL.5432"]:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(path)
    for name in ["popd.log", "ticd.log", "pg.log"]:
        os.truncate(f"{old}/{name}", 0)
    machine.ns.run("chown", "-R", "root:root", old)
    machine.ns.run("chown", "-R", f"{UNPRIVILEGED}:", f"{old}/pg", f"{old}/run")
    os.chmod(f"{old}/pg", 0o700)
    broker = Run(machine, old)
    try:
        assert "3 tunnels read from the snapshot" in read(f"{old}/popd.log")
        assert (broker.value("TIC secret"), "approved" in broker.said()) == (secret.strip(), False)
        assert_confined(broker, "postgres", pwd.getpwnam("postgres"), 0)
        assert not any(os.path.lexists(f"{old}/{name}") for name in ["popd.sock", "popd.snapshot", "run/.s.PGSQL.5432"])
    finally:
        broker.end()


def etc_without_users(directory):
    """A copy of /etc in which the users and the group that run.sh makes are missing."""
    etc = f"{directory}/etc"
    subprocess.run(["cp", "-a", "/etc", etc], check=True)
    for name in ["passwd", "shadow", "group", "gshadow"]:
        for file in [f"{etc}/{name}", f"{etc}/{name}-"]:
            if os.path.exists(file):
                subprocess.run(["sed", "-i", f"/^\\(popd\\|ticd\\|webd\\|{GROUP}\\):/d", file], check=True)
    return etc


# A /usr/bin of links to the real one, without systemd-sysusers.
WITHOUT_SYSUSERS = """mkdir real links; mount --bind /usr/bin real; cp -rs $PWD/real/. links; rm links/systemd-sysusers; mount --bind links /usr/bin; """


@pytest.mark.parametrize("hide", ["", WITHOUT_SYSUSERS], ids=["systemd-sysusers", "useradd"])
def test_missing_users_are_made_and_named_in_one_line(machine, hide):
    made = tempfile.mkdtemp(prefix="broker-run-", dir="/tmp")
    os.chmod(made, 0o755)
    try:
        etc = etc_without_users(made)
        broker = Run(machine, f"{made}/var", wrapper=["unshare", "-m", "sh", "-ec", f'cd {made}; mount --bind {etc} /etc; {hide}exec "$@"', "sh"])
        try:
            assert re.search(r"^Made on this machine.*: user popd, user ticd, user webd, group ipv6-broker$", broker.said(), re.M), broker.said()
            users = {words[0]: words for words in (line.split(":") for line in read(f"{etc}/passwd").splitlines())}
            for name in ["popd", "ticd", "webd"]:
                user = pwd.struct_passwd(users[name])
                assert user.pw_shell.endswith("/nologin")
                pid = int(read(f"{made}/var/{name}.pid"))
                assert (status(pid)["Uid"][0], status(pid)["Gid"][0]) == (user.pw_uid, user.pw_gid)
            assert not re.search(rf"^{GROUP}:[^:]*:[^:]*:.", read(f"{etc}/group"), re.M), "the socket's group has a member"
        finally:
            broker.end()
    finally:
        shutil.rmtree(made)


def with_tun(mode):
    return ["unshare", "-m", "sh", "-ec", f'mount -t tmpfs none /dev/net; mknod /dev/net/tun c 10 200; chmod {mode} /dev/net/tun; exec "$@"', "sh"]


@pytest.mark.parametrize("mode, shared", [("0666", True), ("0600", False)])
def test_popd_opens_a_tun_device_of_root_alone_in_a_mount_namespace_of_its_own(machine, var, mode, shared):
    broker = Run(machine, var, wrapper=with_tun(mode))
    try:
        mounts = [os.readlink(f"/proc/{pid}/ns/mnt") for pid in (broker.script(), int(read(f"{var}/popd.pid")), int(read(f"{var}/ticd.pid")))]
        assert mounts[0] == mounts[2] and (mounts[0] == mounts[1]) is shared
        assert os.stat(f"/proc/{broker.script()}/root/dev/net/tun").st_mode & 0o777 == int(mode, 8)
        until(lambda: machine.pop_state() == "up", 15, "the PoP to be up")
    finally:
        broker.end()


def without(*capabilities):
    return ["setpriv", f"--bounding-set={','.join(f'-{name}' for name in capabilities)}", "--"]


def test_popd_runs_without_the_capability_for_bpf(machine, var):
    broker = Run(machine, var, wrapper=without("bpf"))
    try:
        assert_confined(broker, "popd", pwd.getpwnam("popd"), NET_ADMIN | NET_RAW)
    finally:
        broker.end()


@pytest.mark.parametrize("sentence, settings, wrapper", [
    ("popd needs CAP_NET_ADMIN and CAP_NET_RAW", "VAR={var}", without("net_raw")),
    ("may not open /dev/net/tun", "VAR={var}", [*with_tun("0600"), *without("sys_admin")]),
    ("no mount namespace can be made here", "VAR={closed}/var", [*with_tun("0666"), *without("sys_admin")]),
    ("open it with 'chmod a+x", "VAR={closed}", []),
])
def test_what_keeps_a_daemons_user_out_is_named_in_a_sentence(machine, var, sentence, settings, wrapper):
    closed = tempfile.mkdtemp(prefix="broker-run-", dir="/tmp")
    try:
        refuses(machine, sentence, settings.format(var=var, closed=closed), wrapper=wrapper)
    finally:
        shutil.rmtree(closed)


def test_checkout_below_a_closed_directory_runs(machine):
    closed = tempfile.mkdtemp(prefix="broker-run-", dir="/tmp")
    assert os.stat(closed).st_mode & 0o077 == 0
    try:
        checkout = f"{closed}/broker"
        for part in ["deploy", "schema"]:
            shutil.copytree(ROOT / part, f"{checkout}/{part}")
        shutil.copytree(BUILD, f"{checkout}/build", ignore=lambda _, names: [n for n in names if n not in ("popd", "popctl", "ticd", "ticctl", "webd")])
        broker = Run(machine, f"{checkout}/var", "BUILD=build", script=f"{checkout}/deploy/run.sh")
        try:
            assert f"may not enter {closed};" in broker.said()
            for name, capabilities in {"popd": NET_ADMIN | NET_RAW | BPF, "ticd": 0, "webd": 0, "postgres": 0}.items():
                assert_confined(broker, name, pwd.getpwnam(name), capabilities)
            assert ask(broker, "operator").stdout == "operator\n"
            assert os.stat(closed).st_mode & 0o077 == 0 and closed not in read("/proc/self/mountinfo")
        finally:
            broker.end()
    finally:
        shutil.rmtree(closed)


def test_path_too_long_for_a_socket_runs(machine, directory):
    var = f"{directory}/{'long' * 25}/var"
    broker = Run(machine, var)
    try:
        control = re.search(r"--socket (\S+) status", broker.said()).group(1)
        machine.ns.run(str(BUILD / "popctl"), "--socket", control, "status")
    finally:
        broker.end()
        shutil.rmtree(read(f"{var}/socket-dir").strip())


def test_existing_server_is_used(machine, directory):
    with Postgres() as db:
        db.sql("create role keeper login createrole")
        own = db.create("own")  # nobody ran superuser.sql there
        db.sql("alter database own owner to keeper")
        broker = Run(machine, f"{directory}/own", f"DB={own.conninfo('keeper')}")
        try:
            until(lambda: machine.pop_state() == "up", 15, "the PoP to be up")
            assert not os.path.exists(f"{broker.var}/pg")
        finally:
            broker.end()


def test_lone_loopback_is_enough_when_the_address_is_given(root, directory):
    ns = Netns("runlo")
    ns.address("lo", "192.0.2.33/32")
    lonely = Machine.__new__(Machine)
    lonely.ns = ns
    try:
        refuses(lonely, "default route", f"VAR={directory}/lonely")
        Run(lonely, f"{directory}/lonely", "POP_IPV4=192.0.2.33").end()
    finally:
        ns.remove()


def refuses(machine, sentence, *settings, wrapper=(), script=ROOT / "deploy/run.sh"):
    """One sentence with `sentence` in it on standard error, nothing else, exit 1."""
    done = machine.ns.run(*wrapper, str(script), f"BUILD={BUILD}", *settings, check=False, timeout=60)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    assert sentence in done.stderr and done.stderr.count("\n") == 1 and done.stderr.endswith(".\n") or "sudo make run" in done.stderr


@pytest.mark.parametrize("setting, sentence", [
    ("POP=Demo", "POP=Demo"),
    ("POP_IPV4=1.2.3", "POP_IPV4=1.2.3"),
    ("POP_IPV4=198.51.100.7", "not an address of this machine"),
    ("POP_IPV6=::1::2", "POP_IPV6=::1::2"),
    ("TUNNEL_PREFIX=2001:db8::/47", "TUNNEL_PREFIX=2001:db8::/47"),
    ("TUNNEL_PREFIX=2001:db8:2ff:1::/48", "TUNNEL_PREFIX"),
    ("SUBNET_PREFIX=2001:db8:3000::", "SUBNET_PREFIX"),
    ("STATIC_IPV4=example.org", "STATIC_IPV4=example.org"),
    ("HTTP=8080", "HTTP=8080"),
    ("TIC=0.0.0.0:70000", "TIC=0.0.0.0:70000"),
    ("VAR=/tmp/with blank", "VAR=/tmp/with blank"),
])
def test_bad_value_is_refused_in_a_sentence(machine, setting, sentence):
    refuses(machine, sentence, setting)


def test_without_root_is_refused_in_a_sentence(machine, directory):
    shutil.copytree(ROOT / "deploy", f"{directory}/checkout/deploy")  # where anybody may read it
    refuses(machine, "Only root", wrapper=["setpriv", f"--reuid={UNPRIVILEGED}", "--clear-groups"], script=f"{directory}/checkout/deploy/run.sh")


def test_without_tun_is_refused_in_a_sentence(machine, var):
    refuses(machine, "/dev/net/tun", f"VAR={var}", wrapper=["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev/net && exec "$@"', "sh"])


@pytest.mark.parametrize("module", ["sit", "tunnel4"])
def test_loaded_kernel_module_is_refused_in_a_sentence(machine, var, module):
    pretend = f'mount -t tmpfs none /sys/module && mkdir /sys/module/{module} && exec "$@"'
    refuses(machine, "deploy/modprobe/broker.conf", f"VAR={var}", wrapper=["unshare", "-m", "sh", "-c", pretend, "sh"])


@pytest.mark.parametrize("kind, address, port, sentence", [
    (socket.SOCK_STREAM, "0.0.0.0", 3874, "TCP 3874"),
    (socket.SOCK_STREAM, ADDRESS, 3874, "TCP 3874"),
    (socket.SOCK_STREAM, "127.0.0.1", 8080, "TCP 8080"),
    (socket.SOCK_DGRAM, ADDRESS, 5072, "UDP 5072"),
    (socket.SOCK_DGRAM, "0.0.0.0", 3740, "UDP 3740"),
])
def test_taken_port_is_refused_in_a_sentence(machine, var, kind, address, port, sentence):
    with open_socket(machine.ns, socket.AF_INET, kind) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((address, port))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        refuses(machine, sentence, f"VAR={var}")


def test_port_taken_on_another_address_is_no_obstacle(machine, var):
    with open_socket(machine.ns, socket.AF_INET, socket.SOCK_DGRAM, address=("127.0.0.1", 5072)):
        Run(machine, var).end()


def test_address_that_is_not_the_pops_is_refused_in_a_sentence(machine, var):
    machine.ns.address("up0", "192.0.2.11/24")
    done = machine.ns.run(str(ROOT / "deploy/run.sh"), f"VAR={var}", f"BUILD={BUILD}", "POP_IPV4=192.0.2.11", check=False)
    assert done.returncode == 1
    assert "The PoP demo01 in this database has the address 192.0.2.10" in done.stderr
