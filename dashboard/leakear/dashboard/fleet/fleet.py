"""The present state of every node: in memory, without clock and network.

Messages are added with the time of their arrival. A node is added by its first message. Whether it is online depends
on when its last message arrived; a retained `online` alone does not count.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from leakear.dashboard.fleet.admission import Admission, Candidate
from leakear.dashboard.fleet.node import ASLEEP, OFFLINE, ONLINE, STALE, WAITING, Key, Node
from leakear.dashboard.fleet.ring import Sums
from leakear.edge.messages.reports import Availability, Event, Identity, State, Telemetry, parse_utc

LATE_S = 900.0
"""seconds after its waking for which a node that sleeps is not called stale"""
LONGEST_SLEEP_S = 25 * 3600.0
"""seconds that a node may sleep: it listens half an hour a day at least, and a clock change adds an hour"""
SPARK = 60
"""slots of a sparkline"""

Reports = Availability | State | Telemetry | Event


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

    def note_sequence(self, rows: Iterable[Mapping[str, Any]], fresh: Container[str]) -> list[Node]:
        """Note the numbers of stored events, and return the nodes that changed. `fresh`: ids not stored before.

        A repeated event counts only when its number was not saved because of a crash.
        """
        changed: dict[Key, Node] = {}
        for row in rows:
            node = self.get((row["site"], row["node"]))
            if node is not None and row["seq"] and (row["id"] in fresh or row["seq"] > node.sequence.last):
                node.sequence.see(row["seq"])
                changed[node.key] = node
        return list(changed.values())

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
        """Apply a message of POSIX second `now`; return its node, None beyond the limit and for a forgotten node."""
        key = (who.site, who.node)
        if key in self.forgotten and (retained or message is Availability.OFFLINE):
            return None
        self.forgotten.discard(key)
        node = self.node(key, now, leak=_tells_leak(message))
        if node is None:
            return None
        self._seen(node, message, now, retained)
        if isinstance(message, Availability):
            node.available = message is not Availability.OFFLINE
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
        if node.last_seen is not None:  # this machine's clock may have been ahead, and was set right
            node.last_seen = min(node.last_seen, now)
        if node.waits_since is not None:
            node.waits_since = min(node.waits_since, now)
        if node.available is False:
            node.presence = OFFLINE
        elif _sleeps(node, now):
            node.presence = ASLEEP
        elif node.last_seen is None and self._may_still_come(node, now):
            node.presence = WAITING
        elif node.last_seen is None or now - node.last_seen > self.stale_after:
            node.presence = STALE
        else:
            node.presence = ONLINE
        return node.presence != before

    def _may_still_come(self, node: Node, now: float) -> bool:
        """Whether the broker says that a node is there, which has had no time yet to send its next report."""
        return bool(node.available) and node.waits_since is not None and now - node.waits_since <= self.stale_after

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
        """Set when the node was last seen; for a retained message that is its own time, but not in the future.

        So it is for an event of a node that was seen before: the broker may have kept it for hours.
        """
        if retained and node.waits_since is None:
            node.waits_since = now
        if isinstance(message, Event) and message.clock_synced and node.last_seen is not None:
            node.last_seen = max(min(parse_utc(message.window_end), now), node.last_seen)
        elif not retained:
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
            node.enter(message.state)
            node.since = parse_utc(message.since)
        values = (message.score, message.level_dbfs, message.noise_floor_dbfs)
        if retained:
            node.score, node.level, node.floor = values
        else:
            self._measure(node, now, *values)

    def _event(self, node: Node, message: Event) -> None:
        """Apply an event before the report that confirms it, unless the last report is newer.

        A test says nothing of the node, and what was given up nothing of its present: it has the state of back then.
        """
        if message.kind in ("test", "dropped"):
            return
        if _is_newer(message, node.last_event) and (node.report is None or message.seq > node.report.seq):
            if node.state != message.to_state:
                node.since = parse_utc(message.window_end)
            node.enter(message.to_state)
            node.last_event = message

    def _measure(self, node: Node, now: float, score: float | None, level: float | None, floor: float | None) -> None:
        node.score, node.level, node.floor = score, level, floor
        node.ring.add(now, score, level, floor)
        start = int(now // 60) * 60
        if node.minute is None or node.minute.start != start:
            if node.minute is not None:
                self._finished.append((node.key, node.minute))
            node.minute = Sums(start)
        node.minute.add(score, level, floor)


def _sleeps(node: Node, now: float) -> bool:
    """Whether a node sleeps as it said: not for longer than any schedule lets it, whatever it or its clock says."""
    if (until := node.asleep_until) is None:
        return False
    if (seen := node.last_seen) is None:
        return now - LATE_S < until <= now + LONGEST_SLEEP_S
    return now < min(until, seen + LONGEST_SLEEP_S) + LATE_S


def _tells_leak(message: Reports) -> bool:
    return (isinstance(message, State) and message.state == "LEAK") or (
        isinstance(message, Event) and message.kind != "test" and message.to_state == "LEAK"
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
