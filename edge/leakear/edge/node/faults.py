"""The registry of faults: every part of the node that can have faults lists them as name → sentence."""

from collections.abc import Mapping
from typing import Protocol


class HasFaults(Protocol):
    """A part of the node that can have faults."""

    @property
    def faults(self) -> Mapping[str, str]:
        """Name → sentence, of every fault that this part has now; empty when it has none."""


class Faults:
    """All faults of the node. The parts are given once, at assembly; their order is the order in messages."""

    def __init__(self, *parts: HasFaults) -> None:
        self._parts = parts

    def now(self) -> dict[str, str]:
        """Return name → sentence of every fault that any part has now."""
        return {name: sentence for part in self._parts for name, sentence in part.faults.items()}
