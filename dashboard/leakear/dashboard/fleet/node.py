"""One node as its messages describe it."""

from dataclasses import dataclass, field
from typing import Any

from leakear.dashboard.fleet import admission
from leakear.dashboard.fleet.reported import learning, posix, trial
from leakear.dashboard.fleet.ring import SLOT_S, SLOTS, Ring, Sums
from leakear.dashboard.fleet.sequence import Sequence
from leakear.edge.messages.reports import Event, State, Telemetry

ONLINE, STALE, OFFLINE, ASLEEP, WAITING = "online", "stale", "offline", "asleep", "waiting"
"""`asleep`: until its listening hours; `waiting`: the broker says that the node is there, and its first message to this
dashboard is still to come"""
UNKNOWN = "UNKNOWN"
"""state of a node that has not reported one yet"""
SAME_S = 1.0
"""seconds between two times of one moment, as two messages tell it"""
QUEUE = 10
"""events that wait in a node's queue from which the page calls it trouble: a few wait whenever one is on its way"""
REMOTE = ("remote", "afar")
"""who chose the threshold, in the words of this version and of 0.1: somebody, with a command"""

Key = admission.Key
"""site and node"""


@dataclass(slots=True)
class Node:
    """One node, according to its messages."""

    index: int
    """number of the node in messages to the page; never used twice"""
    site: str
    name: str
    available: bool | None = None
    first_seen: float | None = None
    """POSIX seconds when it was first heard of"""
    last_seen: float | None = None
    """POSIX seconds when the last live message arrived"""
    presence: str = STALE
    waits_since: float | None = None
    """POSIX seconds when the broker first said that it is there, while nothing came from itself"""
    judged: tuple[str, float] | None = None
    """the state in which a person has judged that there is no leak, and when it began, POSIX seconds"""
    quiet: dict[str, Any] | None = None
    """the quiet time that it is in: kind, title, until"""
    state: str = UNKNOWN
    since: float | None = None
    score: float | None = None
    level: float | None = None
    floor: float | None = None
    queue: int = 0
    report: State | None = None
    telemetry: Telemetry | None = None
    malformed: int = 0
    """messages that could not be read"""
    complaint: str | None = None
    """the reason for the last of them"""
    sequence: Sequence = field(default_factory=Sequence)
    last_event: Event | None = None
    """the last event that was newer than the last state message (`report`)"""
    ring: Ring = field(default_factory=Ring)
    minute: Sums | None = None

    @property
    def key(self) -> Key:
        """Site and node."""
        return self.site, self.name

    @property
    def is_judged(self) -> bool:
        """Whether a person has judged that there is no leak now: of the same state that began later nobody has."""
        if self.judged is None or self.judged[0] != self.state:
            return False
        return self.since is None or self.since <= self.judged[1] + SAME_S

    def enter(self, state: str) -> None:
        """Set the state; a verdict on another one counts no longer."""
        if self.state not in (state, UNKNOWN):
            self.judged = None
        self.state = state

    @property
    def asleep_until(self) -> float | None:
        """POSIX seconds until which this node sleeps, if it does."""
        return posix(self.report.asleep_until) if self.report else None

    @property
    def muted_until(self) -> float | None:
        """POSIX seconds until which this node's alerts are not notified."""
        return posix(self.report.muted_until) if self.report else None

    def head(self) -> dict[str, Any]:
        """Return the values that change rarely."""
        report = self.report
        return {
            "i": self.index, "site": self.site, "node": self.name, "state": self.state, "since": self.since,
            "presence": self.presence, "faults": list(report.faults) if report else [],
            "model": report.model.id if report else None, "firmware": report.firmware if report else None,
            "threshold": report.threshold if report else None,
            "learning": learning(report), "trial": trial(report), "muted": self.muted_until,
            "asleep": self.asleep_until,
            "clock": report.clock_synced if report else True,
            "quiet": self.quiet, "judged": self.is_judged,
            "remote": report.threshold_from in REMOTE if report else False,
            "waits": self.queue if self.queue >= QUEUE else 0,
            "missing": self.sequence.missing, "malformed": self.malformed, "complaint": self.complaint,
        }  # fmt: skip

    def live(self) -> list[Any]:
        """Return values that change with every message: index, last seen, score, level, floor, queue, window end."""
        end = posix(self.report.window_end) if self.report else None
        return [self.index, self.last_seen, self.score, self.level, self.floor, self.queue, end]

    def details(self) -> dict[str, Any]:
        """Return all other values, for the page of this node."""
        report = self.report.to_dict() if self.report else None
        telemetry = self.telemetry.to_dict() if self.telemetry else None
        return {"report": report, "telemetry": telemetry, "gaps": self.sequence.gaps, "last_seq": self.sequence.last}

    def recent(self, now: float) -> dict[str, Any]:
        """Return the last hour, in the slots of the ring."""
        score, level, floor = self.ring.last(SLOTS, now)
        start = (int(now // SLOT_S) - SLOTS + 1) * SLOT_S
        return {"start": start, "seconds": SLOT_S, "score": score, "level": level, "floor": floor}
