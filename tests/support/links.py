"""A link under test: its options, and what lets it work."""

import time
from collections.abc import Callable

from leakear.edge.messages.reports import Identity
from leakear.edge.mqtt.link import Link, MqttOptions
from tests.support.broker import Broker

NODE = Identity("site", "n1")


def options(broker: Broker, **changes: object) -> MqttOptions:
    given = {"host": broker.host, "port": broker.port, "reconnect_first_s": 0.05, "reconnect_last_s": 0.2}
    return MqttOptions(**(given | changes))  # type: ignore[arg-type]


def pump(link: Link, until: Callable[[], object], timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while not until():
        assert time.monotonic() < deadline, f"not within {timeout} s; faults {link.faults}"
        link.pump()
        time.sleep(0.005)
