"""Fixtures of the system tests."""

from collections.abc import Iterator

import pytest

from tests.support.broker import Broker
from tests.support.faults import STARTED, kill


@pytest.fixture(autouse=True)
def no_leftovers() -> Iterator[None]:
    """End every daemon that a failed test left running."""
    yield
    for process in STARTED:
        if process.poll() is None:
            kill(process)
    STARTED.clear()


@pytest.fixture
def durable() -> Iterator[Broker]:
    """A broker with the settings of docs/DELIVERY.md."""
    with Broker(persistence=True) as broker:
        yield broker
