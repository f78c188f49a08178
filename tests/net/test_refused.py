"""What a tunnel's own client is told when the tunnel is disabled, deleted or of another type: administratively prohibited, from the PoP's end."""
import pytest

from support.network import CLIENT2_IPV4, CLIENT_IPV4, HOST, POP_IPV4
from support.packets import echo, packed, upper_checksum
from support.paths import slow
from support.sockets import raw41_socket, receive, udp_socket
from support.wait import until


def is_refusal(packet, tunnel, sent):
    """ICMPv6 unreachable, code 1, from the PoP's end of the tunnel about the packet that was sent."""
    if len(packet) < 48 or packet[6] != 58 or packet[40:42] != b"\x01\x01":
        return False
    assert packet[8:24] == packed(tunnel.pop) and packet[24:40] == packed(tunnel.client) and packet[48:] == sent
    assert upper_checksum(tunnel.pop, tunnel.client, 58, packet[40:]) == 0
    return True


def told_by_41(sock, tunnel, sent):
    sock.sendto(sent, (POP_IPV4, 0))
    return receive(sock, lambda d: is_refusal(d[20:], tunnel, sent), 0.5)


def told_by_ayiya(sock, tunnel, sent):
    sock.sendto(tunnel.ayiya(sent), (POP_IPV4, 5072))
    return receive(sock, lambda d: is_refusal(tunnel.open_ayiya(d), tunnel, sent), 0.5)


def state_is(tunnel, key, value):
    until(lambda: tunnel.shown()[key] == value, slow(5), f"{tunnel.name} to have {key} {value}")


def deleted(net, tunnel):
    net.db.ticctl("tunnel", "delete", tunnel.name)
    until(lambda: not tunnel.is_known(), slow(5), "popd to have deleted it")


def test_the_client_of_a_disabled_tunnel_is_told(net, popd):
    static, ayiya, beating = net.request("static", CLIENT_IPV4).known(), net.request("ayiya").known(), net.request("heartbeat").known()
    with raw41_socket(net.client, CLIENT_IPV4) as raw, raw41_socket(net.client, CLIENT2_IPV4) as other, udp_socket(net.client) as udp:
        udp.sendto(beating.beat(), (POP_IPV4, 3740))
        state_is(beating, "state", "up")
        for tunnel in (static, ayiya, beating):
            net.db.ticctl("tunnel", "set", tunnel.name, "state", "disabled")
            state_is(tunnel, "state", "disabled")
        for tunnel in (static, beating):
            packet = echo(tunnel.client, HOST)
            until(lambda t=tunnel, p=packet: told_by_41(raw, t, p), slow(5), f"the client of {tunnel.name} to be told")
            assert not told_by_41(other, tunnel, packet)
        until(lambda: told_by_ayiya(udp, ayiya, echo(ayiya.client, HOST)), slow(5), "the AYIYA client to be told")
        udp.sendto(ayiya.ayiya(echo(ayiya.client, HOST), secret="0" * 32), (POP_IPV4, 5072))
        assert not receive(udp, lambda d: True, 0.5)


def test_the_client_of_a_deleted_static_tunnel_is_told_and_of_another_is_not(net, popd):
    static, beating, ayiya = net.request("static", CLIENT2_IPV4).known(), net.request("heartbeat").known(), net.request("ayiya").known()
    with raw41_socket(net.client, CLIENT2_IPV4) as raw, raw41_socket(net.client, CLIENT_IPV4) as beater, udp_socket(net.client) as udp:
        udp.sendto(beating.beat(), (POP_IPV4, 3740))
        state_is(beating, "state", "up")
        before = net.drops("tunnel-deleted")
        for tunnel in (static, beating, ayiya):
            deleted(net, tunnel)
        until(lambda: told_by_41(raw, static, echo(static.client, HOST)), slow(5), "the client to be told")
        assert net.drops("tunnel-deleted") > before
        assert not told_by_41(beater, beating, echo(beating.client, HOST))
        assert not told_by_ayiya(udp, ayiya, echo(ayiya.client, HOST))


@pytest.mark.parametrize("becomes", ["ayiya", "heartbeat"])
def test_the_client_of_a_static_tunnel_that_is_of_another_type_now_is_told(net, popd, becomes):
    tunnel = net.request("static", CLIENT2_IPV4).known()
    net.db.ticctl("tunnel", "set", tunnel.name, "type", becomes)
    state_is(tunnel, "type", becomes)
    with raw41_socket(net.client, CLIENT2_IPV4) as raw:
        until(lambda: told_by_41(raw, tunnel, echo(tunnel.client, HOST)), slow(5), "the client to be told")


def test_an_ayiya_client_whose_tunnel_is_a_heartbeat_tunnel_now_is_told(net, popd):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as udp:
        tunnel.up_by_ayiya(udp)
        net.db.ticctl("tunnel", "set", tunnel.name, "type", "heartbeat")
        state_is(tunnel, "type", "heartbeat")
        until(lambda: told_by_ayiya(udp, tunnel, echo(tunnel.client, HOST)), slow(5), "the client to be told")
        [drop] = [d for d in tunnel.shown()["drops"] if d["name"] == "tunnel-type"]
        assert drop["count"] >= 1
