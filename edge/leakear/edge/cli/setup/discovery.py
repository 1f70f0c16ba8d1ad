"""Brokers of the local network, found by mDNS (DNS-SD, RFC 6763): `_mqtt._tcp` and `_secure-mqtt._tcp`.

mosquitto itself announces nothing; Home Assistant's add-on does, and avahi does where a person has told it to. It
takes the package zeroconf (`leakear[setup]`; beside the Debian package, python3-zeroconf); without it nothing is
found, and the address is typed.
"""

import importlib.util
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from leakear.edge.cli.setup import answers
from leakear.edge.cli.setup.answers import AnswerError, Broker

TYPES = {"_mqtt._tcp.local.": False, "_secure-mqtt._tcp.local.": True}
"""service type → whether it is encrypted"""
WAIT_S, ANSWER_MS = 3.0, 500
"""s in which brokers must announce themselves, and ms in which one must say its address"""
MOST = 20
"""brokers of one answer: anybody in the network can announce some"""
REMEDY = (
    "to have brokers of this network found: sudo apt install python3-zeroconf (Debian package of leakear), "
    "or pip install 'leakear[setup]'"
)


def available() -> bool:
    """Whether the package is installed that looks for brokers."""
    return importlib.util.find_spec("zeroconf") is not None


def brokers(wait_s: float, interfaces: Sequence[str] | None = None) -> list[Broker]:
    """Return the brokers that answer within `wait_s` seconds; none where the network does not allow to ask.

    `interfaces`: addresses of the network interfaces to ask on; None: all.
    """
    if not available():
        return []
    import zeroconf
    from zeroconf import Error

    found: dict[Broker, None] = {}
    done = threading.Event()

    def heard(zeroconf: Any, service_type: str, name: str, state_change: Any) -> None:
        if state_change.name == "Removed" or done.is_set() or len(found) >= MOST:
            return
        with suppress(Error, AnswerError):  # of a name or an address that cannot be one
            about = zeroconf.get_service_info(service_type, name, timeout=ANSWER_MS)
            if about is not None and about.port:
                found[answers.broker(_broker(about, tls=TYPES[service_type]).url)] = None

    try:
        with zeroconf.Zeroconf(interfaces=list(interfaces) if interfaces else zeroconf.InterfaceChoice.All) as asked:
            browser = zeroconf.ServiceBrowser(asked, list(TYPES), handlers=[heard])
            done.wait(wait_s)
            done.set()  # what waits in the browser's queue is not asked any more
            browser.cancel()
    except OSError:  # no network, or none that carries multicast
        return []
    return list(found)


def _broker(about: Any, *, tls: bool) -> Broker:
    """Return the address of a service: with TLS the name, which stands on its certificate, else what can be reached."""
    host = (about.server or "").rstrip(".")
    addresses = about.parsed_addresses()
    chosen = host if tls or not addresses else addresses[0]
    usual = 8883 if tls or about.port == 8883 else 1883
    return Broker(chosen, 0 if about.port == usual else about.port, tls or about.port == 8883)
