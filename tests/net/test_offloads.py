"""Whatever the kernel does for us, and whichever engine signs: the same packets arrive."""
import re

import pytest

from support import variant
from support.wait import until
from support.world import DIRECT, HOST, ping, transfer

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
def records(world):
    return [world.request("ayiya"), world.request("heartbeat")]


@pytest.mark.parametrize("case", CASES)
def test_both_ways_carry_tcp_and_large_datagrams(clients, records, case):
    path = f"{clients.dir}/popd.conf"
    with open(path, encoding="ascii") as f:
        before = f.read()
    assert clients.popd.stop() == 0
    settings = CASES[case]
    wanted = {**variant.settings(), **settings}
    conf = before
    for name, value in settings.items():
        conf = re.sub(rf"(?m)^{name} = .*\n", "", conf).replace("[popd]\n", f"[popd]\n{name} = {value}\n")
    try:
        with open(path, "w", encoding="ascii") as f:
            f.write(conf)
        # a virtual device leaves checksums to the reader, which our client with its raw socket is not up to; a real one computes them
        clients.pop.run("ethtool", "-K", "p0", "tx", "off" if wanted.get("bpf_encap") == "yes" else "on")
        clients.popd.start()
        states = clients.popctl("status")["offloads"]
        for name in ALL:
            assert (states[name] == "off") == (wanted.get(name) == "no")
        assert states["bpf_encap"] == ("on" if wanted.get("bpf_encap") == "yes" else "off")
        ayiya, heartbeat = records
        one = clients.connect(ayiya)
        two = clients.connect(heartbeat, clients.direct, DIRECT)
        for space, client in ((clients.client, one), (clients.direct, two)):
            until(lambda: ping(space, HOST), 5, "the tunnel to work")
            transfer(space, clients.host, HOST, MEGABYTES)
            transfer(clients.host, space, client.address, MEGABYTES)
            assert ping(space, HOST, count=3, size=1200)
        states = clients.popctl("status")["offloads"]
        assert "refused" not in states.values()
        assert all(client.stop().get("refused signature") is None for client in (one, two))
    finally:
        clients.popd.stop()
        with open(path, "w", encoding="ascii") as f:
            f.write(before)
        clients.popd.start()
