"""The rows of the bench: what each sends, through which popd, and what the goal is. README explains
them one by one."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class World:
    """Tunnels popd is configured with; `active` of the AYIYA ones have a client, all static ones
    do."""
    ayiya: int
    static: int
    active: int

    @property
    def tunnels(self):
        return self.ayiya + self.static


# What the plainest forwarder needed where the goals were set, by path and bytes: a goal divided by
# it is a goal for any machine.
PLAIN = {("ayiya-decap", 1280): 1720, ("ayiya-decap", 84): 1360, ("ayiya-encap", 1280): 1650, ("proto41-decap", 1280): 1500,
         ("proto41-encap", 1280): 1560}

BASE = World(ayiya=1000, static=1000, active=1000)


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    path: str  # ayiya-decap, ayiya-encap, proto41-decap, proto41-encap
    inner: int = 1280  # bytes of each inner packet
    run: int = 1  # so many packets of a flow one after the other; 1: the flows take turns, and nothing can be merged
    merged: bool = False  # a run reaches popd as the kernel's receive offload merges it
    gro: bool = False  # the same, by the receiving device itself (a packet socket cannot send such packets merged)
    uso: bool = True  # the outgoing device cuts large UDP packets itself
    flows: int = 0  # of the active tunnels, so many get packets; 0: all
    workers: int = 1
    fill_from: str = "worker"  # the packets come in on the worker's own processor, on the "other", or on "both"
    world: World = BASE
    conf: str = ""  # lines for popd's configuration, as in BENCH_CONF
    whole: bool = False  # with the kernel's time before popd's queue, or past it
    goal: float = 0  # nanoseconds a packet
    times: tuple = ()  # (row, factor): this row carries at least so many times the packets a second of that one
    over: tuple = ()  # (row, factor): and costs at most so many times as much a packet
    quick: bool = False

    @property
    def goal_ratio(self):
        return self.goal / PLAIN[self.path, self.inner]


def one_worker():
    decap, encap, decap41, encap41 = "ayiya-decap", "ayiya-encap", "proto41-decap", "proto41-encap"
    yield Row(f"{decap}-1280", decap, goal=1800, quick=True)
    yield Row(f"{decap}-84", decap, inner=84, goal=1500, quick=True)
    yield Row(f"{decap}-576", decap, inner=576)
    yield Row(f"{decap}-1428", decap, inner=1428)
    yield Row(f"{decap}-1280-run16", decap, run=16, merged=True, goal=600, quick=True)
    yield Row(f"{decap}-1280-run48", decap, run=48, merged=True, flows=256, goal=600)
    yield Row(f"{decap}-1280-run16-unmerged", decap, run=16)
    yield Row(f"{decap}-1280-from-other-cpu", decap, fill_from="other")
    yield Row(f"{encap}-1280", encap, goal=1800, quick=True)
    yield Row(f"{encap}-84", encap, inner=84)
    yield Row(f"{encap}-1428", encap, inner=1428)
    yield Row(f"{encap}-1280-run16", encap, run=16, merged=True, goal=650, quick=True)
    yield Row(f"{encap}-1280-run48", encap, run=48, merged=True, flows=256, goal=650)
    yield Row(f"{encap}-1280-run16-no-uso", encap, run=16, merged=True, uso=False)
    yield Row(f"{decap41}-1280", decap41, goal=1600, quick=True)
    yield Row(f"{decap41}-84", decap41, inner=84)
    yield Row(f"{decap41}-1280-run16", decap41, run=16, gro=True, goal=600, quick=True)
    yield Row(f"{decap41}-1280-run48", decap41, run=48, gro=True, flows=256, goal=600)
    yield Row(f"{decap41}-1280-run16-unmerged", decap41, run=16)
    yield Row(f"{encap41}-1280", encap41, goal=1400, quick=True)
    yield Row(f"{encap41}-84", encap41, inner=84)
    yield Row(f"{encap41}-1280-run16", encap41, run=16, merged=True, goal=1400, quick=True)


def in_kernel():
    """What bpf_encap saves, on the whole."""
    path, on = "proto41-encap", "bpf_encap = yes"
    for run, what, factor in ((1, "", 0.9), (16, "-run16", 0.25)):
        by_popd = f"{path}-1280{what}-whole"
        yield Row(by_popd, path, run=run, merged=run > 1, whole=True)
        yield Row(f"{by_popd}-bpf", path, run=run, merged=run > 1, whole=True, conf=on, over=(by_popd, factor))


def two_workers():
    def twice(one, path, **more):
        return Row(f"{one}-2-workers", path, workers=2, fill_from="both", times=(one, 1.6), **more)

    yield twice("ayiya-decap-1280", "ayiya-decap", quick=True)
    yield twice("ayiya-decap-1280-run16", "ayiya-decap", run=16, merged=True)
    yield twice("ayiya-encap-1280", "ayiya-encap")
    yield twice("ayiya-encap-1280-run16", "ayiya-encap", run=16, merged=True)
    yield twice("proto41-decap-1280", "proto41-decap")
    yield twice("proto41-encap-1280", "proto41-encap")


def tables():
    for path in ("ayiya-decap", "ayiya-encap"):
        few = f"{path}-of-10-tunnels"
        yield Row(f"{path}-of-1-tunnel", path, world=World(1, 0, 1))
        yield Row(few, path, world=World(10, 0, 10), quick=True)
        yield Row(f"{path}-of-10000-tunnels", path, world=World(10000, 0, 10000))
        yield Row(f"{path}-of-100000-tunnels", path, world=World(100000, 0, 10000), over=(few, 1.1), quick=True)
        yield Row(f"{path}-of-1000000-tunnels", path, world=World(1000000, 0, 10000))


ROWS = [*one_worker(), *in_kernel(), *two_workers(), *tables()]
