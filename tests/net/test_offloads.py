"""The same packets arrive with every offload of the kernel and every signature engine."""
import pytest

from support import machine, variant
from support.netns import ping
from support.network import HOST, OFFICE, ROUTER
from support.wait import until
from support.world import transfer

MEGABYTES = 3_000_000
ALL = ("tun_tso", "tun_uso", "udp_gro", "udp_gso", "tun_steer")
CASES = {
    "all": {},
    "none": {name: "no" for name in ALL} | {"sha1": "openssl"},
    **{f"no-{name}": {name: "no"} for name in ALL},
    "sha-ni": {"sha1": "sha-ni"},
    "avx2": {"sha1": "avx2"},
    "two-workers": {"workers": "2"},
    "bpf-encap": {"bpf_encap": "yes", "workers": "2"},
}


@pytest.fixture(scope="module")
def tunnels(world):
    return [world.request_by_tic("ayiya"), world.request_by_tic("heartbeat")]


def state_at_start(name, settings):
    if settings.get(name) == "no":
        return "off"
    return "missing" if name == "tun_uso" and not machine.has_uso() else "on"


@pytest.mark.parametrize("case", CASES)
def test_both_ways_carry_tcp_and_large_datagrams(clients, tunnels, case):
    popd, settings = clients.popd, CASES[case]
    effective = {**variant.settings(), **settings}
    assert popd.stop() == 0
    try:
        # a virtual device leaves checksums to the reader, which a client with a raw socket does not
        # do; a real device computes them
        clients.pop.run("ethtool", "-K", "p2", "tx", "off" if effective.get("bpf_encap") == "yes" else "on")
        popd.restart(**settings)
        states = clients.popctl("status")["offloads"]
        for name in ALL:
            assert states[name] == state_at_start(name, effective)
        assert states["bpf_encap"] == ("on" if effective.get("bpf_encap") == "yes" else "off")
        ayiya, heartbeat = tunnels
        one = clients.connect(ayiya)
        two = clients.connect(heartbeat, clients.office, OFFICE)
        for space, client in ((clients.home, one), (clients.office, two)):
            until(lambda: ping(space, HOST), 5, "the tunnel to work")
            transfer(space, clients.host, HOST, MEGABYTES)
            transfer(clients.host, space, client.address, MEGABYTES)
            assert ping(space, HOST, count=3, size=1200)
        states = clients.popctl("status")["offloads"]
        refused = {name for name, state in states.items() if state == "refused"}
        assert refused == set() or refused == {"udp_gso"} and not machine.sends_merged(clients.pop, ROUTER)
        assert all(client.stop().get("refused signature") is None for client in (one, two))
    finally:
        popd.restart()
