"""Runs the bench's rows and prints the table. Called by run.sh, which builds the tools; README says
how to read what comes out."""
import argparse
import contextlib
import fnmatch
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import stage as scene
import streams
from rows import BASE, ROWS, World

FILL = 2048  # packets in popd's queue each time it is let go
DELIVERED = 0.99  # of what was sent: less is no measurement
QUIET = 0.5  # load average: above it others take part in what is measured
LOADED_TUNNELS, LOAD_GOAL, MEMORY_GOAL = 1000000, 10, 600  # seconds, bytes a tunnel
IDLE_GOAL = 0.001  # of one processor
HEADINGS = f"{'row':34} {'goal':>5} {'ns/packet':>9} {'10..90 %':>13} {'packets/s':>10} {'reference':>9} {'ratio':>5} {'delivered':>9}  verdict"
STREAM_ROWS = [f"{way}-{n}" for way in ("veth-up", "tunnel-up", "tunnel-down") for n in streams.STREAMS]
QUICK_STREAM_ROWS = ("veth-up-8", "tunnel-up-8", "tunnel-down-8")


def share(lane):
    return lane["delivered"] / lane["offered"] if lane["offered"] else 0


def ratio(answer, which="each"):
    """popd's time a packet divided by the reference's."""
    reference = answer["reference"]["each"][1]
    return answer["popd"][which][1] / reference if reference else 0


class Bench:
    def __init__(self, options):
        self.options = options
        self.seconds = 0.3 if options.quick else 1.0
        self.stage = scene.Stage()
        self.results = {}
        self.facts = {}
        self.failed = []
        self.missed = []

    # ---- what is run

    def chosen(self, name, quick=True):
        words = os.environ.get("BENCH_ROWS", "").split()
        if words:
            return any(fnmatch.fnmatch(name, f"*{word}*") for word in words)
        return quick or not self.options.quick

    def rows(self):
        """The chosen ones, and those they are compared with."""
        chosen = [row for row in ROWS if self.chosen(row.name, row.quick)]
        needed = {other for row in chosen for other, _ in filter(None, (row.times, row.over))}
        return [row for row in ROWS if row in chosen or row.name in needed]

    def run(self):
        self.show_machine()
        if self.rows():
            print(f"\n{HEADINGS}")
            self.run_rows()
        if self.chosen("load", quick=False):
            self.run_load()
        if self.chosen("idle"):
            self.run_idle()
        self.run_streams()
        return self.conclude()

    # ---- the machine

    def show_machine(self):
        self.facts["machine"] = json.loads(subprocess.run([scene.tool("reference"), "floor"], capture_output=True, text=True, check=True).stdout)
        self.facts["load"] = os.getloadavg()[0]
        self.facts["cpus"] = os.cpu_count()
        m = self.facts["machine"]
        print(f"{self.facts['cpus']} processors, load {self.facts['load']:.1f}; a system call {m['syscall']:.0f} ns, SHA-1 of 1324 bytes {m['sha1']:.0f} ns, "
              f"a copy of 64 KiB {m['copy']:.0f} ns")
        if self.facts["load"] > QUIET:
            print("THE MACHINE IS NOT QUIET: times a packet are too high; ratios are worth more")

    # ---- rows of packets

    def run_rows(self):
        """Rows in their order, but together with those that take the same popd."""
        left = self.rows()
        while left:
            world, workers, conf = kind = left[0].world, left[0].workers, left[0].conf
            with scene.Popd(self.stage, world, workers, f"{os.environ.get('BENCH_CONF', '')};{conf}") as popd:
                self.note_popd(popd, world)
                for protocol in ("ayiya", "proto41"):
                    rows = [row for row in left if (row.world, row.workers, row.conf) == kind and row.path.startswith(protocol)]
                    if rows:
                        with scene.Reference(self.stage, protocol) as reference:
                            for row in rows:
                                self.run_row(popd, reference, row)
            left = [row for row in left if (row.world, row.workers, row.conf) != kind]

    def note_popd(self, popd, world):
        status = popd.status()
        self.facts.setdefault("popd", {k: v for k, v in status.items() if k in ("version", "offloads", "sha1", "hash")})
        self.facts[f"load of {world.tunnels}"] = {"seconds": popd.load_seconds, "rss": popd.rss(), "table": status["table_bytes"]}

    def run_row(self, popd, reference, row):
        before = popd.status()
        try:
            answer = scene.drain(self.stage, popd, reference, row, self.seconds, FILL)
        except AssertionError as error:
            self.failed.append(row.name)
            print(f"{row.name:34} FAILED: {error}", flush=True)
            return
        self.results[row.name] = answer
        problem = self.loss(answer)
        missed, verdict = self.against_goal(row, answer)
        if problem:
            after = popd.status()
            dropped = after["drops"] - before["drops"]
            queue = after["queue_overruns"]["tun"] - before["queue_overruns"]["tun"]
            problem += f" (popd dropped {dropped} with a reason, its TUN's queue {queue})"
            self.failed.append(row.name)
        elif missed:
            self.missed.append(row.name)
        self.show(row, answer, problem or f"{'MISSED' if missed else 'ok'} {verdict}".rstrip())

    def loss(self, answer):
        """What was wrong with the packets themselves."""
        proof, popd, reference = answer["proof"], answer["popd"], answer["reference"]
        if proof["wrong"] or proof["twice"] or proof["misplaced"]:
            return (f"WRONG: of {proof['offered']} packets {proof['good']} came out right, {proof['wrong']} wrong, {proof['twice']} twice, "
                    f"{proof['misplaced']} out of order. {proof['why']}".rstrip())
        if proof["good"] != proof["offered"] or share(popd) < DELIVERED:
            return f"LOST: of {proof['offered']} packets of the proof {proof['good']} came out"
        return f"the reference lost {1 - share(reference):.0%}" if share(reference) < DELIVERED else None

    def against_goal(self, row, answer):
        """(missed, what to say about it). Rows are compared with each other by their ratio to the
        reference, which cancels changes of the machine's load between them."""
        if row.goal:
            over = answer["popd"]["each"][1] / row.goal - 1
            ratio_over = ratio(answer) / row.goal_ratio - 1
            return over > 0, f"{over:+.0%}; as a ratio {'missed' if ratio_over > 0 else 'ok'} {ratio_over:+.0%} (goal {row.goal_ratio:.2f})"
        if row.times and row.times[0] in self.results:
            times = ratio(self.results[row.times[0]], "busiest") / ratio(answer, "busiest")
            part = answer["popd"]["busiest"][1] / answer["popd"]["each"][1]
            return times < row.times[1], f"{times:.2f} times one worker (goal {row.times[1]}); the busier one did {part:.0%} of the work"
        if row.over and row.over[0] in self.results:
            cost = ratio(answer) / ratio(self.results[row.over[0]])
            return cost > row.over[1], f"{cost:.2f} times the cost of {row.over[0]} (goal {row.over[1]})"
        return False, ""

    def show(self, row, answer, verdict):
        popd = answer["popd"]
        low, each, high = popd["each"]
        busiest = popd["busiest"][1]
        print(f"{row.name:34} {row.goal or '':>5} {each:9.0f} {f'{low:.0f}..{high:.0f}':>13} {1e9 / busiest if busiest else 0:10,.0f} "
              f"{answer['reference']['each'][1]:9.0f} {ratio(answer):5.2f} {share(popd):9.2%}  {verdict}", flush=True)

    # ---- rows of popd as a whole

    def run_load(self):
        few, many = World(10, 0, 10), World(LOADED_TUNNELS, 0, 10000)
        for world in (few, many):
            if f"load of {world.tunnels}" not in self.facts:
                with scene.Popd(self.stage, world, 1, os.environ.get("BENCH_CONF", "")) as popd:
                    self.note_popd(popd, world)
        one, all_ = (self.facts[f"load of {world.tunnels}"] for world in (few, many))
        each = (all_["rss"] - one["rss"]) / LOADED_TUNNELS
        good = all_["seconds"] <= LOAD_GOAL and each <= MEMORY_GOAL
        self.say("load-1000000", f"from the snapshot in {all_['seconds']:.1f} s (goal {LOAD_GOAL}); {each:.0f} bytes of memory a tunnel (goal {MEMORY_GOAL}), "
                 f"{all_['table'] / LOADED_TUNNELS:.0f} of them the table's", good)

    def run_idle(self):
        """No tunnel is up, so that there is nothing to probe either."""
        with scene.Popd(self.stage, World(ayiya=1000, static=0, active=0), 1, os.environ.get("BENCH_CONF", "")) as popd:
            time.sleep(1)
            seconds = 2 if self.options.quick else 10
            before, begun = popd.cpu_ns(), time.monotonic()
            time.sleep(seconds)
            share = (popd.cpu_ns() - before) / (time.monotonic() - begun) / 1e9
        self.results["idle"] = {"share": share}
        self.say("idle", f"{share:.4%} of a processor over {seconds} s (goal {IDLE_GOAL:.1%})", share <= IDLE_GOAL)

    # ---- real TCP

    def run_streams(self):
        seconds = 1 if self.options.quick else 2
        names = [name for name in STREAM_ROWS if self.chosen(name, name in QUICK_STREAM_ROWS)]
        if not names:
            return
        if not shutil.which("iperf3"):
            print("iperf3 is not installed: nothing is said of real TCP")
            return
        print(f"\n{'iperf3':20} {'Gbit/s':>7} {'popd':>6} {'client':>6} {'Gbit/s a core of popd':>22} {'sent again':>10}")
        with streams.Streams(self.stage.chain) as tcp:
            for name in names:
                if name.startswith("veth"):
                    self.run_stream(tcp, name, None, seconds)
            if any(name.startswith("tunnel") for name in names):
                with scene.Popd(self.stage, BASE, 1, os.environ.get("BENCH_CONF", "")) as popd:
                    tcp.join_tunnel()
                    for name in names:
                        if name.startswith("tunnel"):
                            self.run_stream(tcp, name, popd, seconds)

    def run_stream(self, tcp, name, popd, seconds):
        _, way, count = name.split("-")
        try:
            answer = self.results[name] = tcp.run(int(count), way == "down", seconds, popd)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            self.failed.append(name)
            print(f"{name:20} FAILED: {error}", flush=True)
            return
        a_core = f"{answer['popd_gbit_a_core']:.2f}" if popd else ""
        print(f"{name:20} {answer['gbit']:7.2f} {answer['popd']:6.0%} {answer['client']:6.0%} {a_core:>22} {answer['retransmits']:>10}", flush=True)

    def say(self, name, text, good):
        if not good:
            self.missed.append(name)
        print(f"{name:34} {text}  {'ok' if good else 'MISSED'}", flush=True)

    # ---- the end

    def conclude(self):
        if self.options.json:
            pathlib.Path(self.options.json).write_text(json.dumps({"facts": self.facts, "rows": self.results, "failed": self.failed, "missed": self.missed}, indent=1),
                                                       encoding="utf-8")
        print(f"\n{len(self.failed)} rows failed{': ' + ', '.join(self.failed) if self.failed else ''}; {len(self.missed)} missed a goal")
        return 1 if self.failed else 0


def main():
    parser = argparse.ArgumentParser(prog="run.sh")
    parser.add_argument("--quick", action="store_true", help="the most telling rows only, each shorter")
    parser.add_argument("--list", action="store_true", help="show the names of all rows")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there, too")
    options = parser.parse_args()
    if options.list:
        print("\n".join([row.name for row in ROWS] + ["load", "idle", *STREAM_ROWS]))
        return 0
    if os.geteuid() != 0:
        parser.error("namespaces and packet sockets take root")
    # both signals end in the cleanup below
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(options)
    try:
        return bench.run()
    except KeyboardInterrupt:
        return 130
    finally:
        bench.stage.remove()


if __name__ == "__main__":
    sys.exit(main())
