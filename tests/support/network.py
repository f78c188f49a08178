"""
The namespaces that all tests play in:

                 home ──192.168.77.0/24──┐
                 .2          NAT      .1 │
                                       router ──100.64.0.0/24──┐
                 office ──203.0.113.0/24─┘ .1               .2 │
                 .10 (.20)            .1                       pop ──2001:db8:fff0::/64── host
                                        client ──192.0.2.0/24──┘  ::1                    ::2
                                        .2 (.3)             .1

popd's address is 192.0.2.1. `client` is on its link; `home` and `office` are behind a router,
`home` behind its NAT as well (for which protocol 41 has no ports). The PoP's devices are p0
(client), p1 (host) and p2 (router).
"""
import contextlib

from . import variant
from .netns import Netns, join

POP_IPV4, POP_IPV6, UPLINK, HOST = "192.0.2.1", "2001:db8:2ff:ffff::1", "2001:db8:fff0::1", "2001:db8:fff0::2"
CLIENT_IPV4, CLIENT2_IPV4 = "192.0.2.2", "192.0.2.3"
OFFICE, OFFICE2, ROUTER = "203.0.113.10", "203.0.113.20", "100.64.0.1"
TUNNELS, SUBNETS = "2001:db8:2ff::/48", "2001:db8:3000::/40"

# one transaction: there is never a moment without translation
NAT = """
table ip nat {{ }}
flush table ip nat
table ip nat {{
  chain post {{
    type nat hook postrouting priority 100; policy accept;
    ip saddr 192.168.77.0/24 ip protocol udp masquerade to :{low}-{high}
    ip saddr 192.168.77.0/24 masquerade
  }}
}}
"""
# the office's connections are not tracked, nor what the router sends itself: tracking refuses to
# send broken ICMP errors
UNTRACKED = """
table ip untracked {
  chain in { type filter hook prerouting priority raw; policy accept; ip saddr 203.0.113.0/24 notrack; ip daddr 203.0.113.0/24 notrack; }
  chain out { type filter hook output priority raw; policy accept; notrack; }
}
"""


class Network:
    def __init__(self):
        self.spaces = []
        try:
            self.client, self.home, self.office, self.router, self.pop, self.host = (
                self.add(name) for name in ("client", "home", "office", "router", "pop", "host"))
            self.wire()
        except BaseException:
            self.remove()
            raise

    def add(self, name):
        self.spaces.append(Netns(name))
        return self.spaces[-1]

    def wire(self):
        join(self.client, "c0", self.pop, "p0")
        join(self.pop, "p1", self.host, "h0")
        join(self.router, "r2", self.pop, "p2")
        join(self.home, "c0", self.router, "r0")
        join(self.office, "c0", self.router, "r1")
        self.client.address("c0", f"{CLIENT_IPV4}/24", f"{CLIENT2_IPV4}/24")
        self.pop.address("p0", f"{POP_IPV4}/24")
        self.pop.address("p1", f"{UPLINK}/64")
        self.pop.address("p2", "100.64.0.2/24")
        self.host.address("h0", f"{HOST}/64")
        self.router.address("r0", "192.168.77.1/24")
        self.router.address("r1", "203.0.113.1/24")
        self.router.address("r2", f"{ROUTER}/24")
        self.home.address("c0", "192.168.77.2/24")
        self.office.address("c0", f"{OFFICE}/24")
        self.pop.route("default", "via", ROUTER)
        self.router.route("192.0.2.0/24", "via", "100.64.0.2")
        self.home.route("default", "via", "192.168.77.1")
        self.office.route("default", "via", "203.0.113.1")
        self.host.route("-6", "default", "via", UPLINK)
        self.router.sysctl(net__ipv4__ip_forward=1)
        self.pop.sysctl(net__ipv6__conf__all__forwarding=1)
        for space in (self.client, self.home, self.office):
            space.silence()
        for device in ("p0", "p2"):
            variant.set_outer(self.pop, device)
        self.router.nft(UNTRACKED)
        self.nat(10000, 19999)

    def nat(self, low, high):
        """(Re-)maps the router's UDP ports: what was mapped before is forgotten."""
        self.router.nft(NAT.format(low=low, high=high))
        self.router.run("conntrack", "-F", check=False)

    @contextlib.contextmanager
    def narrow(self, mtu):
        """The way to the office (not the one back) takes packets of at most `mtu` bytes for a
        while."""
        way = ("ip", "route", "replace", "203.0.113.0/24", "dev", "r1", "proto", "kernel", "src", "203.0.113.1")
        self.router.run(*way, "mtu", "lock", str(mtu))
        try:
            yield
        finally:
            self.router.run(*way)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        for space in self.spaces:
            space.remove()
