"""Counts restarts that follow a short run which was not stopped on purpose.

A leak takes most of an hour to confirm. A node that restarts more often than that must keep what it has heard over its
restarts, and must report them: each run alone looks healthy.
"""

import logging
from collections.abc import Mapping
from typing import Any

log = logging.getLogger("leakear.node")

SHORT_S = 3600.0
"""s; a run that ended sooner, and was not stopped on purpose, was short"""
MANY = 3
"""short runs in a row from which on they are a fault"""
SAVE_S = 600.0
"""s between writes of the node's saved state while nothing happens: an SD card wears"""
SAVE_SOON_S = 60.0
"""s between writes during the first `SHORT_S` after a run that was not stopped on purpose: it may happen again"""
FAULT = "restarts_often"


class RestartCounter:
    """This run, and the short ones before it."""

    def __init__(self) -> None:
        self.faults: dict[str, str] = {}
        """name → sentence: `restarts_often` while it holds"""
        self._began = 0.0  # s, monotonic
        self._short = 0
        self._careful = False

    def begin(self, before: Mapping[str, Any] | None, monotonic: float) -> None:
        """Begin a run. `before`: snapshot of the last one, or None. Raises KeyError, TypeError or ValueError."""
        self._began = monotonic
        if before is None or before["stopped"]:
            return
        self._short = int(before["short"]) + 1 if float(before["lived_s"]) < SHORT_S else 0
        self._careful = True
        if self._short >= MANY:
            self.faults[FAULT] = (
                f"the node restarted {self._short} times in a row within {SHORT_S / 60:g} minutes, without having been"
                " stopped: check its power supply, and read journalctl -u leakear."
            )
            log.error("%s", self.faults[FAULT])

    def save_every_s(self, now: float) -> float:
        """Return the s between writes of the saved state at this monotonic time; ends the fault after a long run."""
        if now - self._began >= SHORT_S:
            self._short, self._careful = 0, False
            self.faults.clear()
        return SAVE_SOON_S if self._careful else SAVE_S

    def snapshot(self, now: float, *, stopped: bool) -> dict[str, Any]:
        """Return what the next run must know of this one, as JSON."""
        return {"stopped": stopped, "lived_s": round(now - self._began, 1), "short": self._short}
