"""The registry of faults: every part of the node that can have faults lists them as name → sentence.

One fault comes from outside of the daemon: `leakear-update` of the Debian package took a new version back.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

ROLLED_BACK = Path("/var/lib/leakear-update/rolled-back")
"""written by `leakear-update` before it restarts the daemon, removed when the next version is put to use"""


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


class SoftwareUpdate:
    """The part whose fault says that an upgrade was taken back. `file`: one sentence; absent: all is well."""

    def __init__(self, file: Path = ROLLED_BACK) -> None:
        self.faults: Mapping[str, str] = {}
        """name → sentence, as it was when the daemon started"""
        try:
            sentence = file.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return
        self.faults = {
            "update_rolled_back": sentence[:500] or "An upgrade was taken back; see `leakear-update status`."
        }
