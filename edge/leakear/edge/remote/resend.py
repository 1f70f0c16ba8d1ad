"""Sends events once more that a receiver misses: the node keeps the newest that a broker has acknowledged.

A broker may lose what it has acknowledged (a full queue of a watcher), and `seq` then shows the receiver a gap. What it
asks for goes out on the topic of events with QoS 1, marked `resent`, behind everything else and slowly.
"""

from collections import deque
from dataclasses import replace

from leakear.edge.errors import InputDataError
from leakear.edge.messages.reports import Event
from leakear.edge.messages.requests import ResendRequest
from leakear.edge.messages.results import ResendResult
from leakear.edge.mqtt.dispatcher import CommandRefused
from leakear.edge.mqtt.link import Link
from leakear.edge.outbox.database import Row
from leakear.edge.outbox.queue import Outbox

MOST = 200
"""events of one request"""
WAITING = 1000
"""events that wait to be sent at the most"""
PER_SECOND = 20.0
"""events a second"""


class Resender:
    """Carries out `cmd/resend`; `tick` sends what is due."""

    def __init__(self, outbox: Outbox, link: Link) -> None:
        self._outbox, self._link = outbox, link
        self._waiting: deque[Row] = deque()
        self._at = 0.0  # s, monotonic, of the newest one sent

    def handle(self, request: ResendRequest) -> ResendResult:
        """Put the events asked for in line. Raises CommandRefused."""
        first, last = request.from_seq, request.to_seq
        if last < first:
            raise CommandRefused("to_seq is less than from_seq: ask from the lower to the higher.")
        waiting = {row.seq for row in self._waiting}
        rows = self._outbox.kept(first, last, MOST + 1)
        more = rows[MOST].seq if len(rows) > MOST else None
        fresh = [row for row in rows[:MOST] if row.seq not in waiting]
        if len(waiting) + len(fresh) > WAITING:
            raise CommandRefused(f"{len(waiting)} events wait to be sent again already: ask later.")
        self._waiting.extend(fresh)
        return ResendResult(events=len(rows[:MOST]), next_seq=more)

    def tick(self, now: float) -> None:
        """Send what is due. `now`: s, monotonic."""
        if not self._waiting:
            return
        room = min(int((now - self._at) * PER_SECOND), int(PER_SECOND))
        self._at = now if room else self._at
        for _ in range(min(room, len(self._waiting))):
            payload = _marked(self._waiting[0])
            if payload and not self._link.send_event(self._waiting[0].topic, payload):
                return  # no broker, or too much in line there: later
            self._waiting.popleft()


def _marked(row: Row) -> bytes:
    """Return the event marked as sent again; empty when it cannot be read."""
    try:
        return replace(Event.from_json(row.payload), resent=True).to_json()
    except InputDataError:
        return b""
