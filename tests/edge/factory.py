"""Events for the delivery tests."""

from typing import Any

from leakear.edge.messages import Event, ModelRef, utc_text, uuid7


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
