"""popd does not start beside a driver of the kernel that takes protocol 41 from it; here the drivers are there, not a list that says so."""
import pytest


def configured(net):
    return net.popd.configure("beside.conf")


@pytest.mark.parametrize("module, loaded", [("sit", "modules sit and tunnel4 are loaded"), ("ipip", "module tunnel4 is loaded"),
                                            ("ip_vti", "module tunnel4 is loaded"), ("xfrm4_tunnel", "module tunnel4 is loaded"),
                                            ("xfrm_interface", "module tunnel4 is loaded")])
def test_popd_does_not_start_while_the_module_is_loaded(net, modules, module, loaded):
    modules(module)
    try:
        assert f"kernel {loaded}, held by " in net.popd.refused("-c", configured(net))
    finally:
        modules()


def test_a_sit0_in_its_namespace_is_named_even_where_the_list_of_modules_is_not_readable(net, modules):
    modules("sit")
    empty = f"{net.dir}/no-modules"
    open(empty, "w").close()
    net.pop.run("ip", "link", "add", "sit0", "type", "sit", "remote", "198.51.100.9", "local", "192.0.2.1")
    try:
        assert "sit0" in net.popd.refused("-c", net.popd.configure("beside.conf", modules=empty))
    finally:
        net.pop.run("ip", "link", "del", "sit0")
        modules()


def test_popd_starts_when_they_are_gone(net):
    net.popd.restart()
    assert net.popctl("status")["offloads"]["tun_tso"] == "on"
    assert net.popd.stop() == 0
