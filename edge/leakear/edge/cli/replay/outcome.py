"""What `replay` prints: of each window, and as its last line one sentence on which a person can act. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leakear.edge.decision.learning import NIGHTS_TO_BACKGROUND, WARNING_ONLY, Learning
from leakear.edge.decision.rule import DecisionRule
from leakear.edge.decision.state_machine import State
from leakear.edge.messages.reports import utc_text
from leakear.edge.pipeline import Result

_NOTHING_TO_DO = " Nothing to do."
LEAK_LIKE = 0.5
"""Share of on windows from which recordings as a whole sound like a leak."""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What a replay has heard."""

    windows: int
    """windows cut from the sound"""
    scored: int
    """windows that have a score"""
    on: int
    """windows whose score is at least the threshold"""
    scored_s: float
    """seconds that the scored windows stand for"""
    repeat: int
    """how many times each recording was played"""
    state: State
    """at the end"""
    worst: State
    """WARNING or LEAK, when one was published; else OK"""
    reason: str
    """of the newest WARNING or LEAK"""
    warned_s: float
    """seconds of sound since that"""
    excess_db: float | None
    """dB over the background of the node, at the newest WARNING or LEAK; None: not known"""
    faults: Mapping[str, str]
    """name → sentence, of the faults of windows without a score, and of those at the end"""
    rule: DecisionRule
    learning: Learning
    recordings: int = 0
    """recordings that were named"""
    refused: int = 0
    """recordings that could not be used, or only in part"""


def sentence(heard: Heard) -> str:
    """Say what the sound means and what to do next."""
    if not heard.windows and heard.refused:
        return f"Nothing was heard: {heard.refused} of {heard.recordings} recordings could not be used."
    if not heard.windows:
        return "Nothing was judged: a window needs unbroken sound of its whole length. Record longer."
    if not heard.refused:
        return _judged(heard)
    return (
        f"{_judged(heard).removesuffix(_NOTHING_TO_DO)} {heard.refused} of {heard.recordings} recordings could not be "
        "used, or only in part: nothing is known about the rest of them."
    )


def _judged(heard: Heard) -> str:
    if not heard.scored or heard.state in (State.SENSOR_FAULT, State.NOISY):
        return _deaf(heard)
    if heard.worst is not State.OK:
        return _alert(heard)
    missed = heard.windows - heard.scored
    if not missed:
        return _no_alert(heard)
    return (
        f"{_no_alert(heard).removesuffix(_NOTHING_TO_DO)} {missed} of {heard.windows} windows could not be judged"
        f"{_named(heard)}: nothing is known about them."
    )


def _no_alert(heard: Heard) -> str:
    """Say why there was no alert."""
    rule, found = heard.rule, f"{heard.on} of {heard.scored} windows"
    if heard.on < LEAK_LIKE * heard.scored:
        return f"Quiet: {found} sound like a leak.{_NOTHING_TO_DO}"
    needed = rule.span_s + rule.confirm_s
    if heard.scored_s < needed:
        repeat = _rounded_up(1.1 * needed / heard.scored_s * heard.repeat)
        return (
            f"Sounds like a leak in {found}, but {_time(heard.scored_s)} are too short: an alarm needs "
            f"{needed / 60:.0f} minutes of it. Try --repeat {repeat}."
        )
    if heard.learning.limit_db is not None:
        return (
            f"Sounds like a leak in {found}, but not above the background of this place for long enough: it has "
            "sounded so before. Inspect the pipe if nobody knows this sound."
        )
    return (
        f"Sounds like a leak in {found}, but never in {rule.on_fraction:.0%} of {rule.span_s / 60:g} minutes in a row: "
        "water was used, or a machine comes and goes."
    )


def _deaf(heard: Heard) -> str:
    """Name the faults that keep the windows from being judged."""
    return (
        f"Not judged: {heard.scored} of {heard.windows} windows could be scored{_named(heard)}. Nothing is known about"
        " a leak."
    )


def _named(heard: Heard) -> str:
    """Return the faults with their remedies, in brackets; empty: there is none."""
    named = "; ".join(f"{name}: {text}" for name, text in heard.faults.items())
    return f" ({named})" if named else ""


def _alert(heard: Heard) -> str:
    """Say what a WARNING or LEAK asks for."""
    if heard.state is State.OK:
        return f"{heard.worst}, which has ended: {heard.reason}. A long use of water, or a leak that was mended."
    if heard.state is State.LEAK:
        return f"LEAK: {heard.reason}. Send somebody."
    return f"WARNING: {heard.reason}. {_missing(heard)}"


def _missing(heard: Heard) -> str:
    """Say what a WARNING lacks to become a LEAK."""
    rule = heard.rule
    if heard.learning.may_say == WARNING_ONLY:
        return (
            f"A LEAK needs the background of the place, known after {NIGHTS_TO_BACKGROUND} nights there: inspect the "
            "pipe if nobody uses water."
        )
    if heard.warned_s < rule.confirm_s:
        return f"A LEAK needs {math.ceil((rule.confirm_s - heard.warned_s) / 60)} more minutes of it."
    if heard.excess_db is not None and heard.excess_db < rule.strong_db:
        return f"A LEAK so faint (below {rule.strong_db:g} dB) must come back in two nights of three."
    return "It must go on without a break to become a LEAK: inspect the pipe if nobody uses water."


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _rounded_up(count: float) -> int:
    """Round up to two digits."""
    unit = int(10 ** max(0, math.floor(math.log10(max(1.0, count))) - 1))
    return math.ceil(count / unit) * unit


def window_line(result: Result, file: Path | None) -> dict[str, object]:
    """Return a window as `--json` prints it."""
    return {
        "type": "window",
        "file": str(file) if file else None,
        "window_start": utc_text(result.start_utc),
        "window_end": utc_text(result.end_utc),
        "score": result.score,
        "level_dbfs": round(result.health.level_dbfs, 2) if result.health else None,
        "faults": list(result.faults),
        "state": result.state.value,
    }
