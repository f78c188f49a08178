"""Real TCP, with iperf3: through a tunnel (popd at one end, the bench's own client at the other),
and beside it through the kernel alone."""
import contextlib
import json
import pathlib
import subprocess
import time

import stage as scene
from support.wait import until

STREAMS = (1, 8, 64)
CLIENT = "2001:db8:1000::2"  # tunnel 0's


class Streams:
    """iperf3 at gen and at the sink, and the tunnel's client at gen."""

    def __init__(self, chain):
        self.chain = chain
        self.client = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.client:
            self.client.kill()
            self.client.wait()

    @contextlib.contextmanager
    def server(self):
        """A new one for each run: one that met a broken run may not serve the next."""
        server = self.chain.sink.popen("iperf3", "-s", "-B", scene.SINK, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: ":5201" in self.chain.sink.run("ss", "-Hltn").stdout, 5, "iperf3's server")
            yield
        finally:
            server.kill()
            server.wait()

    def join_tunnel(self):
        """From here on gen reaches the sink through the tunnel."""
        gen = self.chain.gen
        self.client = gen.popen(scene.tool("client"), "0", "t0", scene.GEN_IPV4, stdout=subprocess.PIPE, text=True)
        assert self.client.stdout.readline() == "ready\n", "the tunnel client does not start"
        gen.run("ip", "link", "set", "t0", "mtu", "1428", "txqueuelen", "4096", "up")
        gen.address("t0", f"{CLIENT}/64")
        gen.route("-6", f"{scene.SINK}/128", "dev", "t0", "src", CLIENT)
        until(lambda: gen.run("ping", "-6", "-c", "1", "-W", "1", scene.SINK, check=False).returncode == 0, 10, "the tunnel to carry a ping")

    def run(self, count, down, seconds, popd):
        """Gbit/s of `count` streams, and what part of a processor popd's workers and the client
        took."""
        words = ["iperf3", "-6", "-c", scene.SINK, "-J", "-P", str(count), "-t", str(seconds), *(["-R"] if down else [])]
        with self.server():
            before, begun = self.times(popd), time.monotonic()
            done = self.chain.gen.run(*words, check=False, timeout=60)
            took = time.monotonic() - begun
            after = self.times(popd)
        answer = json.loads(done.stdout)
        assert "error" not in answer, f"iperf3: {answer['error']}"
        end = answer["end"]
        bits = end["sum_received"]["bits_per_second"]
        bytes = end["sum_received"]["bytes"]
        return {"gbit": bits / 1e9, "popd": (after[0] - before[0]) / took / 1e9, "client": (after[1] - before[1]) / took / 1e9,
                "popd_gbit_a_core": bytes * 8 / (after[0] - before[0]) if after[0] > before[0] else None,
                "retransmits": end["sum_sent"].get("retransmits")}

    def times(self, popd):
        """Nanoseconds that popd's workers and the client have run."""
        workers = sum(run_time(popd.pid, tid) for tid in popd.threads()) if popd else 0
        return workers, run_time(self.client.pid, self.client.pid) if self.client else 0


def run_time(pid, tid):
    return int(pathlib.Path(f"/proc/{pid}/task/{tid}/schedstat").read_text(encoding="ascii").split()[0])
