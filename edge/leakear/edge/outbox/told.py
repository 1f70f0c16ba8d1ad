"""What events have told since the saved state: on a nearly full disk they may fit where the state, larger, does not.

A node that restarts then would take up the state from before them: it would call a leak OK that it has told, and tell
it again. Pure.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from leakear.edge.errors import UNUSABLE
from leakear.edge.messages.reports import Event, parse_utc

PIPE = ("OK", "WARNING", "LEAK")
"""States of the pipe; the others are of the sensor."""


def after(before: Mapping[str, Any] | None, event: Event) -> dict[str, Any] | None:
    """Return what is told once this event is, too, as JSON values; None: nothing that a saved state holds."""
    if event.kind not in ("state", "fault"):
        return None if before is None else dict(before)
    told = dict(before or {}) | {"faults": list(event.faults)}
    if event.kind == "state":
        utc = parse_utc(event.window_end)
        told |= {"shown": event.to_state, "since_utc": utc}
        if event.to_state in PIPE:
            nights = event.decided_on is not None and event.decided_on.by == "nights"
            told |= {"pipe": event.to_state, "nights": nights, "pipe_utc": utc}
    return told


def taken_over(saved: Mapping[str, Any], told: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a saved state of the node with what it has told since; one of another form is left as it is."""
    if saved and told is not None:
        with suppress(*UNUSABLE):
            return _caught_up(saved, told)
    return dict(saved)


def _caught_up(saved: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    found = {**saved, "faults": list(told["faults"])}
    if "shown" not in told:
        return found
    decision = {**saved["pipeline"]["decision"], "shown": told["shown"]}
    if "pipe" in told:
        decision = _with_pipe(decision, told, float(saved["utc"]))
    return {**found, "since_utc": told["since_utc"], "pipeline": {**saved["pipeline"], "decision": decision}}


def _with_pipe(decision: Mapping[str, Any], told: Mapping[str, Any], saved_utc: float) -> dict[str, Any]:
    """Return a saved decision with the state of the pipe that was told, by the hours or by the nights."""
    state = told["pipe"]
    found = {**decision, "announced": state}
    if "nights" in decision and (told["nights"] or state == "OK"):
        found["nights"] = {**decision["nights"], "state": state}
    if told["nights"]:
        return found
    later_s = max(0.0, float(told["pipe_utc"]) - saved_utc)  # what the log holds is from before it
    return {**found, "heard": state, "age_s": -later_s, "counted_age_s": -later_s, "marks": []}
