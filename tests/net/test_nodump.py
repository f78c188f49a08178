"""A program that holds secrets leaves no core, and no other user may read its memory: from before it reads its settings on."""
import os
import socket
import subprocess

import pytest

from support.paths import SANITIZED, program
from support.wait import until

NOBODY = 65534


@pytest.fixture
def fifo(tmp_path):
    """A file in which nobody writes: whoever opens it waits."""
    path = tmp_path / "settings"
    os.mkfifo(path)
    os.chmod(path, 0o644)
    folder = tmp_path
    while folder != folder.parent and not folder.stat().st_mode & 0o005 == 0o005:
        folder.chmod(folder.stat().st_mode | 0o005)
        folder = folder.parent
    return path


@pytest.fixture
def silence():
    """The port of a server that says nothing: whoever connects waits."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.mark.skipif(SANITIZED, reason="the search for leaks traces the process")
@pytest.mark.parametrize("name", ["popd", "ticd", "webd", "ticctl"])
def test_memory_is_for_root_alone_and_leaves_no_core(fifo, silence, name):
    waiting = ["--db", f"host=127.0.0.1 port={silence}", "pop", "list"] if name == "ticctl" else ["-c", fifo]
    process = subprocess.Popen(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", program(name), *waiting],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        mine = f"/proc/{process.pid}"
        until(lambda: os.readlink(f"{mine}/exe") == os.path.realpath(program(name)), 10, "the program")
        until(lambda: os.stat(f"{mine}/mem").st_uid == 0, 10, "memory that belongs to root")
        with open(f"{mine}/status", encoding="ascii") as f:
            assert f"Uid:\t{NOBODY}\t{NOBODY}" in f.read()
        with open(f"{mine}/limits", encoding="ascii") as f:
            assert [line.split()[4:6] for line in f if line.startswith("Max core file size")] == [["0", "0"]]
        as_nobody = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "cat", f"{mine}/environ"], capture_output=True)
        assert as_nobody.returncode != 0
        assert process.poll() is None
    finally:
        process.kill()
        process.wait(10)
