"""The variant that is asked for (tests/support/variant.py) is the one that runs; otherwise the
other tests prove nothing about it."""
from support import machine, variant


def test_popd_runs_as_the_variant_says(net, popd):
    status, wanted, known = net.popctl("status"), variant.settings(), net.popd.dump()
    states = status["offloads"]
    for name, state in states.items():
        if name != "sha1":
            there = machine.has_uso() if name == "tun_uso" else True
            assert state == ("off" if known[name] == "no" else "on" if there else "missing"), f"{name} is {state}"
    assert wanted.get("sha1", "auto") in ("auto", states["sha1"])
    assert status["workers"] == int(wanted.get("workers", "2")) == net.popd.workers
    for name, value in wanted.items():
        assert known[name] == value


def test_the_outer_device_is_as_the_variant_says(net):
    told = net.pop.run("ethtool", "-k", "p0").stdout
    if variant.outer_gro():
        assert f"generic-receive-offload: {variant.outer_gro()}" in told
    else:
        assert "generic-receive-offload: " in told
