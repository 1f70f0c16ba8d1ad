"""Fixtures of the delivery tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker
from links import NODE, options

from leakear.edge.mqtt import Link
from leakear.edge.outbox import Outbox, OutboxOptions


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
