"""Decides which missing events a node is asked for again (`cmd/resend`).

An event can be lost between broker and dashboard: a broker's queue for an absent watcher has an end. A gap in `seq`
shows it, or the node's report, which has the `seq` of its last event. Events that are sent again are recognised by
their id. A node that was renamed is asked under the name under which it publishes now; it sends each event under the
name with which it was written.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from leakear.dashboard.broker.commander import Commander
from leakear.dashboard.broker.renamed import Names, Renamed
from leakear.dashboard.fleet import ONLINE, Fleet, Key, Node, Round
from leakear.edge.errors import InputDataError

log = logging.getLogger(__name__)
COMMAND = "resend"
SETTLE_S = 10.0
"""seconds that a gap must exist: a late event fills most gaps by itself"""
TAIL_S = 30.0
"""seconds for which the node's report must be ahead of its last event"""
AGAIN_S = (120.0, 3600.0)
"""seconds between two requests for the same events: at first, doubled each time, and at most"""
AT_ONCE = 20
"""nodes asked at a time"""
RANGE = 1000
"""numbers asked for at once, the newest of a gap"""

Gap = tuple[int, int]


@dataclass(slots=True)
class _Request:
    """Numbers that a node was asked for."""

    gap: Gap
    at: float
    wait_s: float
    """until they are asked for again"""

    def meets(self, gap: Gap) -> bool:
        return self.gap[0] <= gap[1] and gap[0] <= self.gap[1]


@dataclass(slots=True)
class _Node:
    """What is remembered of one node."""

    noticed: dict[Gap, float] = field(default_factory=dict)
    """when each gap was first seen"""
    asked: list[_Request] = field(default_factory=list)
    """what is still missing of it"""
    tail: tuple[int, float] = (0, 0.0)
    """last `seq` of an event, and since when a report is ahead of it"""


class Resend:
    """Asks nodes for missing events; `changed` is called with a node that was asked. Times are POSIX seconds."""

    def __init__(
        self, fleet: Fleet, commander: Commander, changed: Callable[[Node], None], names: Names | None = None
    ) -> None:
        self._commander, self._changed = commander, changed
        self._renamed = Renamed(fleet, names) if names else None
        self._round = Round(fleet)
        self._nodes: dict[Key, _Node] = {}

    async def ask(self) -> None:
        """Ask the nodes that are due, some at a time: those first that were asked longest ago."""
        now, due = time.time(), []
        for node in sorted(self._round.part(), key=self._last_asked):
            through = node
            if self._renamed and node.sequence.gaps:
                through = await self._renamed.present(node)
                if await self._renamed.drop_others(node):
                    self._changed(node)
            if gap := self.due(node, now, through):
                due.append((node, through, gap))
                if len(due) == AT_ONCE:
                    break
        await asyncio.gather(*[self._ask(node, through, *gap) for node, through, gap in due])

    async def _ask(self, node: Node, through: Node, first: int, last: int) -> None:
        log.info("events %d to %d of %s/%s are missing: %s/%s is asked", first, last, *node.key, *through.key)
        self._changed(node)
        try:
            answer = await self._commander.ask(through.key, COMMAND, {"from_seq": first, "to_seq": last})
        except InputDataError as error:
            log.info("%s/%s was asked for missing events: %s", *through.key, error)
            return
        self.answered(node.key, (first, last), answer.result.get("next_seq"))
        log.info("%s/%s answers about missing events: %s", *node.key, ascii(answer.error or answer.result)[:300])

    def forget(self, key: Key) -> None:
        """Drop a node that is no longer in the fleet."""
        self._nodes.pop(key, None)

    def due(self, node: Node, now: float, through: Node | None = None) -> Gap | None:
        """Return first and last `seq` to ask this node for now; None: nothing. What it returns counts as asked.

        `through`: the same node under the name that it has now.
        """
        kept = self._nodes.get(node.key)
        if kept is None:
            kept = self._nodes[node.key] = _Node()
        self._look_at_tail(node, kept, now)
        gaps = node.sequence.gaps
        kept.noticed = {gap: kept.noticed.get(gap, now) for gap in gaps}
        kept.asked = [request for request in kept.asked if any(map(request.meets, gaps))]
        if (through or node).presence != ONLINE:
            return None
        waited_for = [request for request in kept.asked if now - request.at < request.wait_s]
        for gap in reversed(gaps):
            first = _beyond(max(gap[0], gap[1] - RANGE + 1), waited_for)
            if now - kept.noticed[gap] >= SETTLE_S and first <= gap[1]:
                self._note(kept, (first, gap[1]), now)
                return first, gap[1]
        return None

    @staticmethod
    def _note(kept: _Node, gap: Gap, now: float) -> None:
        """Note a request, which takes the place of those for the same numbers that have had their time."""
        before = [r for r in kept.asked if r.meets(gap) and now - r.at >= r.wait_s]
        wait_s = min(2 * max(r.wait_s for r in before), AGAIN_S[1]) if before else AGAIN_S[0]
        kept.asked = [r for r in kept.asked if r not in before] + [_Request(gap, now, wait_s)]

    def answered(self, key: Key, asked: Gap, following: object) -> None:
        """Note that a node sends only what is before `following`: the rest is asked for at the next opportunity."""
        kept = self._nodes.get(key)
        if kept is not None and isinstance(following, int) and asked[0] < following <= asked[1]:
            for request in kept.asked:
                if request.gap == asked:
                    request.gap = asked[0], following - 1

    def _last_asked(self, node: Node) -> float:
        kept = self._nodes.get(node.key)
        return kept.asked[-1].at if kept is not None and kept.asked else 0.0

    @staticmethod
    def _look_at_tail(node: Node, kept: _Node, now: float) -> None:
        """Count events as missing that the node's report knows, the broker has acknowledged, and nobody has seen."""
        last, report = node.sequence.last, node.report
        if report is None or report.queue_depth or report.seq <= last or last != kept.tail[0]:
            kept.tail = last, now
        elif now - kept.tail[1] >= TAIL_S:
            node.sequence.expect(report.seq)


def _beyond(number: int, asked: list[_Request]) -> int:
    """Return the first number from `number` on that was not asked for."""
    for gap in sorted(request.gap for request in asked):
        if gap[0] <= number <= gap[1]:
            number = gap[1] + 1
    return number
