"""A PostgreSQL 15 cluster of a test's own: unprivileged user, unix socket only, a short folder under /tmp, gone afterwards."""
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

from .paths import program
from .wait import until

BIN = "/usr/lib/postgresql/15/bin"


class Postgres:
    def __init__(self, fsync=False):
        self.dir = tempfile.mkdtemp(prefix="broker-pg-", dir="/tmp")
        self.user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        if self.user:
            os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)
        os.chmod(self.dir, 0o755)
        self.data = f"{self.dir}/data"
        self.log = f"{self.dir}/log"
        self.fsync = fsync
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.start()
        self.sql("create database broker", dbname="postgres")

    def _as_user(self):
        if not self.user:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def _run(self, tool, *args):
        done = subprocess.run([f"{BIN}/{tool}", *args], capture_output=True, text=True, cwd="/", **self._as_user())
        assert done.returncode == 0, f"{tool}: {done.stdout}{done.stderr}"

    def start(self):
        options = f"-c listen_addresses='' -k {self.dir} -c fsync={'on' if self.fsync else 'off'} -c max_connections=120"
        self._run("pg_ctl", "-D", self.data, "-l", self.log, "-w", "-t", "30", "-o", options, "start")

    def stop(self, mode="fast"):
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "30", "-m", mode, "stop")

    def postmaster(self):
        with open(f"{self.data}/postmaster.pid", encoding="ascii") as f:
            return int(f.readline())

    def _family(self):
        """The postmaster and its children."""
        parent = self.postmaster()
        pids = [parent]
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as f:
                        if int(f.read().rsplit(")", 1)[1].split()[1]) == parent:
                            pids.append(int(entry))
                except OSError:
                    pass
        return pids

    def freeze(self):
        """Still listening, never answering: the worst database."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self):
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number):
        for pid in self._family():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass  # a backend that has just ended by itself

    def conninfo(self, user="postgres", dbname="broker"):
        return f"host={self.dir} user={user} dbname={dbname}"

    def sql(self, text, user="postgres", dbname="broker"):
        """Runs SQL with psql; returns the rows as lists of text."""
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo(user, dbname), "-c", text],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return [line.split("\x1f") for line in done.stdout.splitlines()]

    def migrate(self):
        done = subprocess.run([program("ticctl"), "--db", self.conninfo(), "migrate"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ticctl(self, *args, check=True):
        """An operator's command; returns what it printed."""
        done = subprocess.run([program("ticctl"), "--db", self.conninfo("operator"), *args], capture_output=True, text=True)
        if check:
            assert done.returncode == 0, f"ticctl {' '.join(args)}: {done.stderr}"
            return done.stdout
        return done

    def remove(self):
        try:
            self.thaw()
            self.stop("immediate")
        except (AssertionError, OSError):
            pass
        until(lambda: not os.path.exists(f"{self.data}/postmaster.pid"), 10, "PostgreSQL to end")
        shutil.rmtree(self.dir, ignore_errors=True)
