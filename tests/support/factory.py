"""Events for the delivery tests, and what looks at an outbox."""

from typing import Any

from leakear.edge.messages.reports import Event, ModelRef, utc_text, uuid7
from leakear.edge.outbox.queue import Outbox


def event(kind: str = "state", reason: str = "test", **changes: Any) -> Event:
    """One event, not yet numbered."""
    start = 1.8e9
    given = {
        "id": uuid7(),
        "seq": 0,
        "site": "site",
        "node": "n1",
        "kind": kind,
        "from_state": "OK",
        "to_state": "LEAK",
        "reason": reason,
        "window_start": utc_text(start),
        "window_end": utc_text(start + 10),
        "model": ModelRef(id="m", sha256="0" * 64),
    }
    return Event(**(given | changes))


class Time:
    """A monotonic clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def events(box: Outbox) -> list[Event]:
    """Everything that waits."""
    return [Event.from_json(row.payload) for row in box.pending(10_000)]
