"""What a state message says, as the page wants it."""

from typing import Any

from leakear.edge.messages.reports import State, parse_utc


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
