"""The visits that are still to be made, as a calendar (RFC 5545)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from icalendar import Calendar, Event

from leakear.dashboard.history.rows import Row

TO_VISIT = ("open", "assigned")


def calendar(cases: Iterable[Row], public_url: str | None, now: float) -> bytes:
    """Return a calendar with one entry of today for each case that waits for its visit; `now`: POSIX seconds."""
    made = Calendar()
    made.add("prodid", "-//leakear//visits//EN")
    made.add("version", "2.0")
    today = datetime.fromtimestamp(now, UTC)
    for case in cases:
        if case["status"] not in TO_VISIT:
            continue
        event = Event()
        event.add("uid", f"{case['id']}@leakear")
        event.add("dtstamp", today)
        event.add("dtstart", today.date())
        event.add("dtend", today.date() + timedelta(days=1))
        who = f" ({case['assigned_to']})" if case["assigned_to"] else ""
        event.add("summary", f"{case['site']} / {case['node']}{who}")
        event.add("description", "\n".join(filter(None, (case["certainty"], case["pipe"], case["position"]))))
        event.add("sequence", case["version"])
        if public_url:
            event.add("url", f"{public_url.rstrip('/')}/cases/{case['id']}")
        made.add_component(event)
    return bytes(made.to_ical())
