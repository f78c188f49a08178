"""A daemon of ours as a child process: its log in a file, ready by condition, ended by pid, and never left behind."""
import signal
import subprocess

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
