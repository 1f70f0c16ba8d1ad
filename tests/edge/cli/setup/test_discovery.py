"""Brokers that announce themselves by mDNS are found, over a real socket."""

import concurrent.futures
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from leakear.edge.cli.setup import discovery
from leakear.edge.cli.setup.answers import Broker, broker

zeroconf = pytest.importorskip("zeroconf", reason="pip install 'leakear[setup]'")


def announced(asked: "zeroconf.Zeroconf", kind: str, host: str, port: int) -> None:
    name = f"leakear test {port}.{kind}"
    address = [socket.inet_aton("127.0.0.1")]
    asked.register_service(zeroconf.ServiceInfo(kind, name, port, addresses=address, server=f"{host}.local."))


def test_what_is_announced_is_found() -> None:
    try:
        announcer = zeroconf.Zeroconf(interfaces=["127.0.0.1"])
    except OSError as error:
        pytest.skip(f"no multicast on the loopback interface here: {error}")
    with announcer:
        announced(announcer, "_mqtt._tcp.local.", "leakear-test-a", 1884)
        announced(announcer, "_secure-mqtt._tcp.local.", "leakear-test-b", 8883)
        found = discovery.brokers(4.0, ["127.0.0.1"])
    assert Broker("127.0.0.1", 1884, tls=False) in found
    assert Broker("leakear-test-b.local", 0, tls=True) in found
    assert all(broker(each.url) == each for each in found)


@pytest.mark.parametrize("name", ["x\x1b[2J", "silent"])
def test_names_without_a_broker_neither_hold_up_nor_hide_others(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        announcer = zeroconf.Zeroconf(interfaces=["127.0.0.1"])
    except OSError as error:
        pytest.skip(f"no multicast on the loopback interface here: {error}")
    kind = "_mqtt._tcp.local."
    began = time.monotonic()
    pointers = [zeroconf.DNSPointer(kind, 12, 1, 4500, f"{name}{number}.{kind}") for number in range(100)]
    with announcer, ThreadPoolExecutor() as pool:
        asked = pool.submit(discovery.brokers, 4.0, ["127.0.0.1"])
        while not asked.done():  # as somebody in the network would, again and again
            out = zeroconf.DNSOutgoing(0x8400)
            for pointer in pointers:
                out.add_answer_at_time(pointer, 0)
            announcer.send(out)
            if name != "silent" and not announcer.registry.async_get_service_infos():
                announced(announcer, kind, "leakear-test-c", 1885)
            concurrent.futures.wait([asked], 0.2)
            assert time.monotonic() < began + 40
    assert capfd.readouterr().err == ""
    assert name == "silent" or Broker("127.0.0.1", 1885, tls=False) in asked.result()


def test_without_the_package_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery.importlib.util, "find_spec", lambda _: None)
    assert discovery.brokers(0.1) == []
