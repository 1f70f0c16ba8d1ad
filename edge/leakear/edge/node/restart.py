"""Saved state: what the node knew and what was set remotely continues after a restart.

Saved as JSON in the outbox, with the keys of version 0.1: `utc`, `clock_synced`, `boot`, `pipeline`, `memory` (remote
settings), `life` (restart counter), `since_utc` and `faults` (event writer).
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from leakear.edge.errors import UNUSABLE
from leakear.edge.node.detector import Detector
from leakear.edge.node.events import EventWriter
from leakear.edge.node.remote_settings import RemoteSettings
from leakear.edge.node.restart_count import RestartCounter
from leakear.edge.outbox.queue import Outbox

log = logging.getLogger("leakear.node")


class TimeKeeper(Protocol):
    """What tells whether the wall clock can be trusted (`clock.Clock`, or a replay's fixed answer)."""

    @property
    def faults(self) -> Mapping[str, str]:
        """Name → sentence, of what is wrong with the time."""

    def look(self) -> bool:
        """Return whether the clock is synchronised."""

    def boot(self) -> tuple[str, float] | None:
        """Return the id of this boot and the s since it; None: a recording, whose times are trusted."""


class Restart:
    """Saves and restores the state of detector, event writer and restart counter.

    `apart`: this run is of another place, such as the simulated day: it takes over nothing and leaves what is saved.
    """

    def __init__(
        self,
        outbox: Outbox,
        clock: TimeKeeper,
        *,
        detector: Detector,
        events: EventWriter,
        counter: RestartCounter,
        apart: bool = False,
    ) -> None:
        self._apart = apart
        self._outbox, self._clock = outbox, clock
        self._detector, self._events, self._counter = detector, events, counter
        self._since_utc = events.since_utc  # of the state with which this run began, before it told another

    def snapshot(self, monotonic: float, utc: float, *, stopped: bool) -> dict[str, Any]:
        """Return what must survive a restart, as JSON. `stopped`: whether this run ends on purpose.

        What changes at every save comes last: the pages before it are then not written again (`outbox.seal`).
        """
        if self._apart:
            return self._outbox.load_state()
        return {
            **self._detector.snapshot(),
            "utc": utc,
            "clock_synced": self._clock.look(),
            "boot": self._clock.boot(),
            "life": self._counter.snapshot(monotonic, stopped=stopped),
            **self._events.snapshot(),
        }

    def save_every_s(self, monotonic: float) -> float:
        """Return the s until the state should be saved again."""
        return self._counter.save_every_s(monotonic)

    def restore_remote(self) -> None:
        """Take over what was set remotely, before any sound."""
        self._detector.restore_remote(self._known(), 0.0)

    def restore(self, monotonic: float, utc: float) -> None:
        """Continue where the last run ended, as far as a clock shows how long ago that was."""
        self._events.since_utc = self._since_utc = utc
        saved = self._known()
        try:
            self._counter.begin(saved.get("life"), monotonic)
            if not saved:
                return
            gap_s = _gap_s(self._clock, saved, utc)
            if gap_s is None:
                log.warning("it is not known how long the node was off: it keeps its state and starts a new window log")
            pipeline = saved["pipeline"] if gap_s is not None else _undated(saved["pipeline"])
            self._detector.restore(pipeline, monotonic, gap_s or 0.0)
            self._events.restore(saved)
        except UNUSABLE as error:
            log.warning("the saved state of the last run cannot be used (%s): the node starts without it", error)

    def restore_late(self, monotonic: float) -> bool:
        """Take over a saved state that could not be read at the start, unless this run has told another since.

        Newer remote settings stay, too. False: there is none.
        """
        saved = self._outbox.take_late_state()
        if self._apart or not saved:
            return False
        log.warning("the saved state could be read only now: it is taken over")
        if self._detector.remote == RemoteSettings():
            self._detector.restore_remote(saved, monotonic)
        with suppress(*UNUSABLE):
            pipeline, since_utc = _undated(saved["pipeline"]), float(saved["since_utc"])
            has_told = self._events.since_utc != self._since_utc
            if has_told:
                del pipeline["decision"]
            self._detector.restore(pipeline, monotonic, 0.0)
            if not has_told:
                self._events.since_utc = since_utc
        return True

    def _known(self) -> dict[str, Any]:
        return {} if self._apart else self._outbox.load_state()


def _gap_s(clock: TimeKeeper, saved: Mapping[str, Any], utc: float) -> float | None:
    """Seconds since this was saved; None when no clock can tell. Raises KeyError, TypeError or ValueError.

    Within one boot the kernel counts, sleep included. Over a boot only wall clocks that were synchronised both times
    can tell: a board without a battery clock continues with the time at which it was switched off.
    """
    here, there = clock.boot(), saved.get("boot")
    if here is None:
        return max(0.0, utc - float(saved["utc"]))
    if there and there[0] and there[0] == here[0]:
        return max(0.0, here[1] - float(there[1]))
    return max(0.0, utc - float(saved["utc"])) if clock.look() and saved.get("clock_synced") else None


def _undated(pipeline: Mapping[str, Any]) -> dict[str, Any]:
    """Drop from a snapshot what only holds at a known age: what was heard last, and the age of the state."""
    kept = {name: part for name, part in pipeline.items() if name != "lately"}
    return {**kept, "decision": {**pipeline["decision"], "marks": [], "age_s": 0.0}}
