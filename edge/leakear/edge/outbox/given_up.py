"""Events that were deleted undelivered for want of room: counted, and later reported as one event."""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from leakear.edge.errors import InputDataError
from leakear.edge.messages.reports import Event, uuid7
from leakear.edge.outbox.database import Row

log = logging.getLogger(__name__)


def add(
    before: Mapping[str, Any] | None, counters: Mapping[str, int], lost: list[Row]
) -> tuple[dict[str, Any], dict[str, int]]:
    """Add lost events to what was lost before: their `count`, and the last of them as `form` of the report; counters.

    A lost report of earlier losses counts as many as it reported.
    """
    said = [_event_of(row) for row in lost]
    reported = [one.get("dropped", 1) if row.kind == "dropped" else 1 for row, one in zip(lost, said, strict=True)]
    count = (before["count"] if before else 0) + sum(reported)
    dropped = counters["dropped"] + sum(row.kind != "dropped" for row in lost)
    return {"count": count, "form": said[-1]}, {**counters, "dropped": dropped}


def report(lost: Mapping[str, Any], max_bytes: int) -> Event | None:
    """Return the event that tells of losses; None: they can be told in the journal only."""
    count = lost["count"]
    reason = f"{count} events were given up: the outbox was full ({max_bytes} bytes)."
    try:
        form = Event.from_json(lost["form"])
    except InputDataError:  # written by another version of this software
        log.error("%s", reason)  # noqa: TRY400
        return None
    return replace(
        form,
        id=uuid7(),
        kind="dropped",
        from_state=form.to_state,
        reason=reason,
        dropped=count,
        score=None,
        on_fraction=None,
        level_dbfs=None,
        evidence=False,
    )


def _event_of(row: Row) -> dict[str, Any]:
    """Return the event of a row; empty when it is damaged."""
    try:
        return dict(json.loads(row.payload))
    except (ValueError, TypeError):
        return {}
