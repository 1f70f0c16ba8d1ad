"""What may be done with a case, and what it changes. Pure: no database, no clock of its own."""

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from leakear.dashboard.alerting.alerts import MAX_NOTE
from leakear.edge.errors import InputDataError

OPEN, ASSIGNED, VISITED, REPAIRED, VERIFIED, CLOSED = "open", "assigned", "visited", "repaired", "verified", "closed"
STATUSES = (OPEN, ASSIGNED, VISITED, REPAIRED, VERIFIED, CLOSED)
FOUND = "found"
OUTCOMES = (FOUND, "not-found", "pressure-valve", "other")
LARGEST_PHOTO = 4 * 2**20
"""bytes"""
_PHOTOS = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n"}
_LONGEST = 80
Values = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """One change, checked: what it sets, and what is noted beside it."""

    what: str
    values: Values
    """columns of the case"""
    note: str = ""
    photo: tuple[str, bytes] | None = None
    """media type and content"""


def change(case: Mapping[str, Any], what: str, given: Mapping[str, Any], now: float) -> Change:
    """Check what somebody asks for. Raises InputDataError: one sentence that names the field."""
    if what not in _CHANGES:
        raise InputDataError(f"A case has no step {str(what)[:40]!a}: use {', '.join(_CHANGES)}.")
    allowed, make = _CHANGES[what]
    if case["status"] not in allowed:
        raise InputDataError(f"The case is {case['status']}: it cannot be {_DONE[what]} now.")
    note = _text(given, "note", MAX_NOTE)
    return Change(what, make(case, given, now), note, _photo(given) if what == "visit" else None)


def after_leak(case: Mapping[str, Any], happened: float) -> str:
    """Return the step for a LEAK of the node, at a POSIX second: one from before the repair is the one repaired."""
    return "reopen" if case["status"] == REPAIRED and happened > case["repaired"] else "note"


def _assign(case: Mapping[str, Any], given: Mapping[str, Any], _now: float) -> Values:
    name = _text(given, "assigned_to", _LONGEST)
    status = case["status"] if case["status"] not in (OPEN, ASSIGNED) else ASSIGNED if name else OPEN
    return {"assigned_to": name, "status": status}


def _describe(_case: Mapping[str, Any], given: Mapping[str, Any], _now: float) -> Values:
    return {name: _text(given, name, _LONGEST * 4 if name == "position" else _LONGEST) for name in ("pipe", "position")}


def _visit(_case: Mapping[str, Any], given: Mapping[str, Any], now: float) -> Values:
    outcome = given.get("outcome")
    if outcome not in OUTCOMES:
        raise InputDataError(f"The outcome is {str(outcome)[:40]!a}: use {', '.join(OUTCOMES)}.")
    latitude, longitude = _number(given, "latitude", -90, 90), _number(given, "longitude", -180, 180)
    if (latitude is None) != (longitude is None):
        raise InputDataError("A place needs latitude and longitude: give both, or none.")
    at = _time(given, "at", now)
    ended = {} if outcome == FOUND else {"status": CLOSED, "closed": now}
    return {"status": VISITED, "visited": at, "outcome": outcome, "latitude": latitude, "longitude": longitude} | ended


def _repair(case: Mapping[str, Any], given: Mapping[str, Any], now: float) -> Values:
    low, high = _number(given, "flow_low", 0, 1e6), _number(given, "flow_high", 0, 1e6)
    low, high = low if low is not None else high, high if high is not None else low
    if low is not None and high is not None and low > high:
        raise InputDataError("flow_low is above flow_high: give the lower one first.")
    at = _time(given, "at", now)
    if at < case["since"]:
        raise InputDataError("The repair is dated before the leak was suspected: give a later time.")
    return {"status": REPAIRED, "repaired": at, "flow_low": low, "flow_high": high}


def _close(_case: Mapping[str, Any], _given: Mapping[str, Any], now: float) -> Values:
    return {"status": CLOSED, "closed": now}


def _verify(_case: Mapping[str, Any], _given: Mapping[str, Any], now: float) -> Values:
    return {"status": VERIFIED, "closed": now}


def _reopen(case: Mapping[str, Any], _given: Mapping[str, Any], _now: float) -> Values:
    status = ASSIGNED if case["assigned_to"] else OPEN
    return {"status": status, "closed": None, "repaired": None, "reopened": case["reopened"] + 1}


_Make = Callable[[Mapping[str, Any], Mapping[str, Any], float], Values]
_GOING = (OPEN, ASSIGNED, VISITED, REPAIRED)
_CHANGES: dict[str, tuple[tuple[str, ...], _Make]] = {
    "assign": (_GOING, _assign),
    "describe": (_GOING, _describe),
    "note": (STATUSES, lambda _case, _given, _now: {}),
    "visit": ((OPEN, ASSIGNED, VISITED), _visit),
    "repair": ((OPEN, ASSIGNED, VISITED), _repair),
    "close": (_GOING, _close),
    "verify": ((REPAIRED,), _verify),
    "reopen": ((REPAIRED, VERIFIED, CLOSED), _reopen),
}
"""step → from which status, and what it sets"""
_DONE = {
    "assign": "assigned", "describe": "described", "note": "noted", "visit": "visited", "repair": "repaired",
    "close": "closed", "verify": "verified", "reopen": "re-opened",
}  # fmt: skip
BY_HAND = ("assign", "describe", "note", "visit", "repair", "close", "reopen")
"""steps a person may take; only nights verify a repair"""


def _text(given: Mapping[str, Any], name: str, longest: int) -> str:
    text = given.get(name, "")
    if not isinstance(text, str) or len(text) > longest:
        raise InputDataError(f"{name} must be a text of at most {longest} characters.")
    return text.strip()


def _number(given: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    value = given.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputDataError(f"{name} must be a number from {low:g} to {high:g}.")
    return float(value)


def _time(given: Mapping[str, Any], name: str, now: float) -> float:
    at = _number(given, name, 0, math.inf)
    if at is not None and at > now + 60:
        raise InputDataError("The time lies in the future: give when it was done.")
    return now if at is None else at


def _photo(given: Mapping[str, Any]) -> tuple[str, bytes] | None:
    text = given.get("photo")
    if not text:
        return None
    try:
        content = base64.b64decode(str(text), validate=True)
    except ValueError as error:  # also a character that is not ASCII
        raise InputDataError("photo must be base64.") from error
    kind = next((kind for kind, start in _PHOTOS.items() if content.startswith(start)), None)
    if kind is None or len(content) > LARGEST_PHOTO:
        raise InputDataError(f"photo must be a JPEG or PNG of at most {LARGEST_PHOTO >> 20} MiB.")
    return kind, content
