"""How often this node came back lately without having been stopped.

A leak is heard out over most of an hour. A node that dies sooner, again and again, must carry what it heard from life
to life, and must say how it fares: each of its lives alone looks well.
"""

import logging
from collections.abc import Mapping
from typing import Any

log = logging.getLogger("leakear.node")

SHORT_S = 3600.0
"""s; a life that ended sooner, and not by being stopped, was short"""
MANY = 3
"""short lives in a row that are no accident"""
SAVE_S = 600.0
"""s between writes of the node's memory while nothing happens: an SD card wears"""
SAVE_SOON_S = 60.0
"""s between them for `SHORT_S` after a life that was not ended by being stopped: the next may end like that, too"""
FAULT = "restarts_often"


class Lives:
    """This life, and the short ones before it."""

    def __init__(self) -> None:
        self.faults: dict[str, str] = {}
        """name → sentence, of what is wrong with them now"""
        self._began = 0.0  # s, monotonic
        self._short = 0
        self._careful = False

    def begin(self, before: Mapping[str, Any] | None, monotonic: float) -> None:
        """Begin a life after one that left `before` (None: none). Raises KeyError, TypeError or ValueError."""
        self._began = monotonic
        if before is None or before["stopped"]:
            return
        self._short = int(before["short"]) + 1 if float(before["lived_s"]) < SHORT_S else 0
        self._careful = True
        if self._short >= MANY:
            self.faults[FAULT] = (
                f"the node came back {self._short} times in a row within {SHORT_S / 60:g} minutes, without having been"
                " stopped: look at its power supply, and at journalctl -u leakear."
            )
            log.error("%s", self.faults[FAULT])

    def save_every_s(self, now: float) -> float:
        """Look at the (monotonic) time; s until the node's memory is to be written again."""
        if now - self._began >= SHORT_S:
            self._short, self._careful = 0, False
            self.faults.clear()
        return SAVE_SOON_S if self._careful else SAVE_S

    def snapshot(self, now: float, *, stopped: bool) -> dict[str, Any]:
        """Return what the next life must know of this one, as JSON."""
        return {"stopped": stopped, "lived_s": round(now - self._began, 1), "short": self._short}
