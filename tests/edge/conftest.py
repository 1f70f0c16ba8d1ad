"""Fixtures of the delivery tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from leakear.edge.mqtt.link import Link
from leakear.edge.outbox.queue import Outbox, OutboxOptions
from tests.support.broker import Broker
from tests.support.links import NODE, options


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.db", OutboxOptions(settle_s=1)) as box:
        yield box


@pytest.fixture
def linked(broker: Broker, outbox: Outbox) -> Iterator[Link]:
    link = Link(options(broker), NODE, outbox)
    link.start()
    yield link
    link.stop()
