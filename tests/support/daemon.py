"""A daemon of ours as a child process: its log in a file, ready by condition, ended by pid, and
never left behind."""
import os
import signal
import subprocess

from .paths import program
from .wait import until


class Daemon:
    def __init__(self, command, log, ready=None, seconds=20):
        """`command`: list; `ready`: a condition on the running daemon."""
        self.command, self.log_path = command, log
        self.ready, self.seconds = ready, seconds
        self.process = None

    def start(self, wait=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        if wait and self.ready:
            until(self._is_ready, self.seconds, f"{self.command[-3:]} to be ready; its log:\n{self.log()[-2000:]}")
        return self

    def _is_ready(self):
        assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.log()[-2000:]}"
        return self.ready()

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """SIGKILL: no chance to tidy up."""
        self.signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self, seconds=20):
        """SIGTERM, and the exit status. A sanitizer's finding shows as a status that is not 0."""
        if not self.is_running():
            return self.process.returncode if self.process else None
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.command[-3:]} did not stop within {seconds} s")

    # ---- what it uses

    def rss(self):
        """Resident memory in bytes."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        """How many files are open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class ConfiguredDaemon(Daemon):
    """
    A daemon that reads a file of settings. They are given by key, or by section_key outside the
    section `section`: url="...", database_conninfo="...". What the constructor gets holds for
    every file written later; `configure` changes it for one.
    """

    name = None
    section = None
    sections = ()

    def __init__(self, folder, ready, space=None, **settings):
        self.folder, self.settings = str(folder), settings
        self.conf = f"{folder}/{self.name}.conf"
        command = [program(self.name), "-c", self.conf]  # a missing build fails before anything is made
        super().__init__(space.command(*command) if space else command, f"{folder}/{self.name}.log", ready)
        self.configure()

    def configure(self, file=None, **changes):
        """Writes the settings with these changes to `file` (its name in the daemon's folder;
        default the daemon's own) and returns its path."""
        path = f"{self.folder}/{file}" if file else self.conf
        texts = dict.fromkeys(self.sections, "")
        for name, value in {**self.settings, **changes}.items():
            section, _, key = name.partition("_")
            if section not in self.sections or not key:
                section, key = self.section, name
            texts[section] += f"{key} = {value}\n"
        with open(path, "w", encoding="utf-8") as f:
            f.write("".join(f"[{section}]\n{text}" for section, text in texts.items()))
        return path

    def run(self, *args):
        """The program with other arguments, to its end."""
        return subprocess.run([program(self.name), *args], capture_output=True, text=True, timeout=20)
