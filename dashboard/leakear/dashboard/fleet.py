"""The present state of every node: in memory, without clock and network.

Messages are added with the time of their arrival. A node is added by its first message. Whether it is online depends
on when its last message arrived; a retained `online` alone does not count.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from leakear.dashboard import admission
from leakear.dashboard.admission import Admission, Candidate
from leakear.dashboard.ring import SLOT_S, SLOTS, Ring, Sums
from leakear.dashboard.sequence import Sequence
from leakear.edge.messages.reports import Availability, Event, Identity, State, Telemetry, parse_utc

ONLINE, STALE, OFFLINE = "online", "stale", "offline"
UNKNOWN = "UNKNOWN"
"""state of a node that has not reported one yet"""
SPARK = 60
"""slots of a sparkline"""

Key = admission.Key
"""site and node"""
Reports = Availability | State | Telemetry | Event


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
            "clock": report.clock_synced if report else True,
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


def learning(report: State | None) -> dict[str, Any] | None:
    """Return what a node has learnt while it may not say everything yet; None for any other."""
    learnt = report.learning if report else None
    return None if learnt is None or learnt.may_say == "all" else learnt.to_dict()


def trial(report: State | None) -> dict[str, Any] | None:
    """Return the new model of a node that is on trial or watched; None for any other."""
    found = report.model_trial if report else None
    if found is None:
        return None
    return {"model": found.model.id, "beside": found.beside.id, "decides": found.decides, "until": posix(found.until)}


def posix(text: str | None) -> float | None:
    """POSIX seconds of a message's time."""
    return None if text is None else parse_utc(text)


class Fleet:
    """All nodes by site and name. `limit` and `new_limit` bound the memory (`admission`)."""

    def __init__(self, stale_after: float = 180.0, limit: int = 5000, new_limit: int = 500) -> None:
        self.stale_after = stale_after
        """seconds without a message after which a node is called stale"""
        self.admission = Admission(limit, new_limit)
        self.refused = 0
        """messages of nodes beyond the limits"""
        self.displaced: list[Node] = []
        """new nodes that gave way to others; the caller takes them out"""
        self.forgotten: set[Key] = set()
        """nodes taken out of service: what the broker still has of them adds no node, until they send anew"""
        self._nodes: dict[Key, Node] = {}
        self._next = 0
        self._finished: list[tuple[Key, Sums]] = []

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def get(self, key: Key) -> Node | None:
        """Return a node, or None when it has sent nothing yet."""
        return self._nodes.get(key)

    def node(self, key: Key, now: float = 0.0, *, leak: bool = False) -> Node | None:
        """Return a node, adding it when it is new; None beyond the limits. `leak`: it reports a leak."""
        found = self._nodes.get(key)
        if found is not None:
            self.admission.heard(key, now)
            return found
        admitted, other = self.admission.admit(len(self), leak=leak, silent=lambda node: self._is_silent(node, now))
        if not admitted:
            self.refused += 1
            return None
        if other is not None:
            self.displaced.append(self._nodes.pop(other))
            self.admission.left(other)
        found = self.add(key, now)
        self.admission.joined(key, found)
        return found

    def add(self, key: Key, first_seen: float) -> Node:
        """Add a node that is known."""
        added = self._nodes[key] = Node(self._next, *key, first_seen=first_seen)
        self._next += 1
        return added

    def forget(self, key: Key) -> Node | None:
        """Remove a node that was taken out of service."""
        self.admission.left(key)
        found = self._nodes.pop(key, None)
        if found is not None:
            self.forgotten.add(key)
        return found

    def _is_silent(self, node: Candidate, now: float) -> bool:
        return node.last_seen is None or now - node.last_seen > self.stale_after

    def take(self, who: Identity, message: Reports, now: float, *, retained: bool = False) -> Node | None:
        """Apply one message that arrived at POSIX second `now`; return its node.

        None beyond the limit, and for what the broker still has of a forgotten node.
        """
        key = (who.site, who.node)
        if key in self.forgotten and (retained or message is Availability.OFFLINE):
            return None
        self.forgotten.discard(key)
        node = self.node(key, now, leak=_tells_leak(message))
        if node is None:
            return None
        self._seen(node, message, now, retained)
        if isinstance(message, Availability):
            node.available = message is Availability.ONLINE
        elif isinstance(message, State):
            self._state(node, message, now, retained)
        elif isinstance(message, Telemetry):
            self._measure(node, now, message.score, message.level_dbfs, message.noise_floor_dbfs)
            node.telemetry, node.queue = message, message.queue_depth
        else:
            self._event(node, message)
        self.update_presence(node, now)
        return node

    def count_malformed(self, who: Identity, sentence: str) -> Node | None:
        """Count a message that could not be read, with the reason; such a message adds no node."""
        node = self.get((who.site, who.node))
        if node is not None:
            node.malformed += 1
            node.complaint = sentence
        return node

    def update_presence(self, node: Node, now: float) -> bool:
        """Set whether a node is online, stale or offline; True when that changed."""
        before = node.presence
        if node.available is False:
            node.presence = OFFLINE
        elif node.last_seen is None or now - node.last_seen > self.stale_after:
            node.presence = STALE
        else:
            node.presence = ONLINE
        return node.presence != before

    def finished_minutes(self, now: float, *, all_of_them: bool = False) -> list[tuple[Key, Sums]]:
        """Return the sums of finished minutes (or of all, at the end of the program), each once."""
        current = int(now // 60) * 60
        for node in self:
            if node.minute is not None and (all_of_them or node.minute.start < current):
                self._finished.append((node.key, node.minute))
                node.minute = None
        done, self._finished = self._finished, []
        return done

    @staticmethod
    def _seen(node: Node, message: Reports, now: float, retained: bool) -> None:
        """Set when the node was last seen; for a retained message that is its own time, but not in the future."""
        if not retained:
            if message is not Availability.OFFLINE:
                node.last_seen = now
        elif isinstance(message, State) and message.clock_synced and message.window_end is not None:
            sent = min(parse_utc(message.window_end), now)
            node.last_seen = sent if node.last_seen is None else max(sent, node.last_seen)

    def _state(self, node: Node, message: State, now: float, retained: bool) -> None:
        node.report, node.queue = message, message.queue_depth
        if node.sequence.last == 0 and message.queue_depth == 0:
            node.sequence.last = message.seq  # what happened before is not missing, what comes after it is
        if not _overtaken(message, node.last_event):
            node.state, node.since = message.state, parse_utc(message.since)
        values = (message.score, message.level_dbfs, message.noise_floor_dbfs)
        if retained:
            node.score, node.level, node.floor = values
        else:
            self._measure(node, now, *values)

    def _event(self, node: Node, message: Event) -> None:
        """Apply an event before the report that confirms it, unless the last report is newer."""
        if _is_newer(message, node.last_event) and (node.report is None or message.seq > node.report.seq):
            if node.state != message.to_state:
                node.since = parse_utc(message.window_end)
            node.state, node.last_event = message.to_state, message

    def _measure(self, node: Node, now: float, score: float | None, level: float | None, floor: float | None) -> None:
        node.score, node.level, node.floor = score, level, floor
        node.ring.add(now, score, level, floor)
        start = int(now // 60) * 60
        if node.minute is None or node.minute.start != start:
            if node.minute is not None:
                self._finished.append((node.key, node.minute))
            node.minute = Sums(start)
        node.minute.add(score, level, floor)


def _tells_leak(message: Reports) -> bool:
    return (isinstance(message, State) and message.state == "LEAK") or (
        isinstance(message, Event) and message.to_state == "LEAK"
    )


def _is_newer(event: Event, last: Event | None) -> bool:
    """Whether an event is newer than the last one: a node sends a missing one again when it is asked to."""
    if last is None or event.seq > last.seq:
        return True
    dated = event.clock_synced and last.clock_synced
    return not dated or parse_utc(event.window_end) > parse_utc(last.window_end)


def _overtaken(report: State, event: Event | None) -> bool:
    """Whether a report is older than an event that arrived before it: they use different connections.

    A lower `seq` alone is not enough: a node that lost its outbox counts from the beginning.
    """
    if event is None or report.seq >= event.seq or report.window_end is None:
        return False
    dated = report.clock_synced and event.clock_synced
    return dated and parse_utc(report.window_end) <= parse_utc(event.window_end)
