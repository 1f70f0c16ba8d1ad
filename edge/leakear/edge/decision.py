"""Decide: scores over time become OK, WARNING, LEAK, NOISY or SENSOR_FAULT.

The network hears "flow-like noise" in one window; a running tap is the same physics. Time tells them apart: use ends,
a leak does not. So WARNING needs the sound on for most of a span longer than the longest legitimate use, LEAK needs it
to go on through a confirmation, and only quiet clears either. Windows nobody could judge count neither way. Pure: no
clock, no I/O; replay, evaluation and the daemon run this same code.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import islice
from typing import Any

from leakear.edge.errors import ConfigError
from leakear.edge.options import option


class State(StrEnum):
    """What a node says of its pipe, or of itself."""

    OK = "OK"
    WARNING = "WARNING"
    LEAK = "LEAK"
    NOISY = "NOISY"
    SENSOR_FAULT = "SENSOR_FAULT"


@dataclass(frozen=True)
class DecisionRule:
    """[decision]: when sound becomes an alert. Unset keys come from the model file."""

    threshold: float = option(0.5, "P(leak) from which a window counts as on, 0 to 1", minimum=0, maximum=1)
    level_gate_dbfs: float = option(
        -200.0, "dBFS; a window whose quietest level (dBmin) is below counts as off", minimum=-200, maximum=0
    )
    span_s: float = option(
        1800.0, "s; WARNING looks back this far: longer than the longest use of water", minimum=1, maximum=86400
    )
    on_fraction: float = option(0.9, "share of judged windows that must be on, over span_s", minimum=0, maximum=1)
    confirm_s: float = option(900.0, "s; the sound must go on this long after WARNING", minimum=0, maximum=86400)
    quiet_hours: str = option("", 'confirm only within these hours, UTC, as "02:00-04:00"; empty: at any hour')
    release_fraction: float = option(
        0.5, "a WARNING whose share over span_s falls below this ends", minimum=0, maximum=1
    )
    clear_s: float = option(600.0, "s; WARNING and LEAK end after quiet over this long", minimum=1, maximum=86400)
    clear_fraction: float = option(0.1, "largest share of on windows that is still quiet", minimum=0, maximum=1)
    coverage: float = option(0.5, "share of a span that must have been judged, else NOISY", minimum=0, maximum=1)
    noisy_s: float = option(600.0, "s; the span over which coverage makes NOISY", minimum=1, maximum=86400)
    fast_s: float = option(0.0, "s; LEAK at once when loud and sure this long; 0: off", minimum=0, maximum=86400)
    fast_score: float = option(0.99, "P(leak) that is sure", minimum=0, maximum=1)
    fast_level_dbfs: float = option(-20.0, "dBFS (dBmin) that is loud", minimum=-200, maximum=0)

    def __post_init__(self) -> None:
        if not self.clear_fraction < self.release_fraction < self.on_fraction:
            raise ConfigError("[decision] needs clear_fraction < release_fraction < on_fraction, or no state could end")
        if not 0 < self.threshold < 1:
            raise ConfigError("[decision] threshold: lies strictly between 0 and 1")
        if not 0 < self.coverage <= 1:
            raise ConfigError("[decision] coverage: lies above 0, at most 1")
        _ = self.quiet_interval

    @property
    def quiet_interval(self) -> tuple[int, int] | None:
        """`quiet_hours` in minutes of the UTC day, or None. Raises ConfigError when it is not readable."""
        if not self.quiet_hours:
            return None
        try:
            start, end = ((int(h), int(m)) for h, m in (part.split(":") for part in self.quiet_hours.split("-")))
        except ValueError:
            start = end = (99, 99)
        if max(start[0], end[0]) > 23 or max(start[1], end[1]) > 59 or start == end:
            raise ConfigError(f'[decision] quiet_hours {self.quiet_hours!r}: write it as "02:00-04:00"')
        return start[0] * 60 + start[1], end[0] * 60 + end[1]

    def check_step(self, step_s: float) -> None:
        """Refuse a rule that could never be met with windows `step_s` seconds apart."""
        for name in ("span_s", "clear_s", "noisy_s"):
            if getattr(self, name) < 3 * step_s:
                raise ConfigError(f"[decision] {name} holds fewer than three windows of step {step_s:g} s: raise it")
        for name in ("confirm_s", "fast_s"):
            if 0 < getattr(self, name) < step_s:
                raise ConfigError(
                    f"[decision] {name} is shorter than one step of {step_s:g} s: raise it or set it to 0"
                )

    def quiet_hour(self, utc: float) -> bool:
        """Tell whether LEAK may be confirmed at this POSIX time."""
        if self.quiet_interval is None:
            return True
        start, end = self.quiet_interval
        minute = int(utc // 60) % 1440
        return start <= minute < end if start < end else minute >= start or minute < end


@dataclass(frozen=True, slots=True)
class Observation:
    """One window as the rule sees it."""

    time_s: float
    """s, monotonic, end of the window"""
    utc: float
    """s since 1970, end of the window"""
    step_s: float
    """s that this window stands for"""
    score: float | None
    """P(leak); None: nobody could judge it (dropped, spoiled, faulty)"""
    level_dbfs: float | None = None
    """dBmin of the window, dBFS"""
    fault: str | None = None
    """named sensor fault; its windows count neither way"""


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state, to be told to the world."""

    source: State
    target: State
    reason: str
    """for people: one short clause with the numbers that decided"""
    on_fraction: float


@dataclass(frozen=True, slots=True)
class _Mark:
    time_s: float
    step_s: float
    on: bool | None
    """None: not judged"""
    sure: bool
    lost: bool
    """not judged though the sensor was sound: dropped or spoiled"""


@dataclass(frozen=True, slots=True)
class _Heard:
    """What a span of time held."""

    share: float
    """on among the judged, 0 to 1"""
    covered: float
    """judged among the whole, 0 to 1"""
    extent_s: float
    """s from the first window that was on to the last"""


class Decision:
    """The state of one node."""

    def __init__(self, rule: DecisionRule) -> None:
        self.rule = rule
        self._marks: deque[_Mark] = deque()
        self._heard = State.OK  # what the pipe is believed to do, whatever the sensor does meanwhile
        self._heard_since = 0.0
        self._shown = State.OK

    @property
    def state(self) -> State:
        """What the node says now."""
        return self._shown

    @property
    def on_fraction(self) -> float:
        """Share of on windows among the judged ones of the last span, 0 to 1."""
        return self._heard_over(self.rule.span_s).share

    def update(self, seen: Observation) -> Transition | None:
        """Take one window; return a transition when the state changes."""
        self._remember(seen)
        reason = self._judge(seen) if seen.score is not None and seen.fault is None else None
        shown, why = self._overlay(seen)
        if shown is self._shown:
            return None
        change = Transition(self._shown, shown, why or reason or f"{self._shown} ended", self.on_fraction)
        self._shown = shown
        return change

    def _remember(self, seen: Observation) -> None:
        rule = self.rule
        on = sure = False
        judged = seen.score is not None and seen.fault is None
        if judged:
            assert seen.score is not None
            level = 0.0 if seen.level_dbfs is None else seen.level_dbfs
            on = seen.score >= rule.threshold and level >= rule.level_gate_dbfs
            sure = seen.score >= rule.fast_score and level >= rule.fast_level_dbfs
        self._marks.append(
            _Mark(seen.time_s, seen.step_s, on if judged else None, sure, not judged and seen.fault is None)
        )
        horizon = max(rule.span_s, rule.confirm_s, rule.clear_s, rule.noisy_s, rule.fast_s)
        while self._marks and self._marks[0].time_s <= seen.time_s - horizon:
            self._marks.popleft()

    def _recent(self, span_s: float) -> list[_Mark]:
        """Return the marks of the last `span_s` seconds, newest first."""
        if not self._marks:
            return []
        since = self._marks[-1].time_s - span_s + 1e-6
        newest_first = reversed(self._marks)
        count = sum(1 for mark in self._marks if mark.time_s > since)
        return list(islice(newest_first, count))

    def _heard_over(self, span_s: float) -> _Heard:
        judged = on = 0.0
        times_on: list[float] = []
        for mark in self._recent(span_s):
            if mark.on is not None:
                judged += mark.step_s
            if mark.on:
                on += mark.step_s
                times_on.append(mark.time_s)
        extent = times_on[0] - times_on[-1] if times_on else 0.0
        return _Heard(on / judged if judged else 0.0, min(1.0, judged / span_s), extent)

    def _judge(self, seen: Observation) -> str | None:
        """Move between OK, WARNING and LEAK; return the reason when it moved."""
        rule = self.rule
        if self._heard is not State.LEAK and self._fast():
            return self._move(State.LEAK, seen, f"very loud and very sure for {rule.fast_s:g} s")
        span = self._heard_over(rule.span_s)
        if self._heard is State.OK:
            # The sound itself must outlast any use of water, however few windows could be judged.
            lasted = span.extent_s >= rule.on_fraction * rule.span_s - 2 * seen.step_s
            if lasted and span.covered >= rule.coverage and span.share >= rule.on_fraction:
                return self._move(State.WARNING, seen, f"on {span.share:.0%} of the last {rule.span_s / 60:g} min")
            return None
        quiet = self._heard_over(rule.clear_s)
        if quiet.covered >= rule.coverage and quiet.share <= rule.clear_fraction:
            return self._move(State.OK, seen, f"quiet for {rule.clear_s / 60:g} min")
        if self._heard is State.WARNING:
            return self._confirm(seen, span.share)
        return None

    def _confirm(self, seen: Observation, span_share: float) -> str | None:
        rule = self.rule
        if span_share < rule.release_fraction:
            return self._move(State.OK, seen, f"on only {span_share:.0%} of the last {rule.span_s / 60:g} min")
        if seen.time_s - self._heard_since < rule.confirm_s - 1e-6 or not rule.quiet_hour(seen.utc):
            return None
        heard = self._heard_over(max(rule.confirm_s, seen.step_s))
        if heard.covered >= rule.coverage and heard.share >= rule.on_fraction:
            return self._move(State.LEAK, seen, f"went on for {rule.confirm_s / 60:g} min after WARNING")
        return None

    def _fast(self) -> bool:
        if not self.rule.fast_s:
            return False
        recent = [mark for mark in self._recent(self.rule.fast_s) if mark.on is not None]
        return sum(m.step_s for m in recent) >= 0.9 * self.rule.fast_s and all(m.sure for m in recent)

    def _move(self, target: State, seen: Observation, reason: str) -> str:
        self._heard, self._heard_since = target, seen.time_s
        return reason

    def _overlay(self, seen: Observation) -> tuple[State, str | None]:
        """Return the state to show: a deaf sensor stands above what was heard, doubt below it."""
        if seen.fault is not None:
            return State.SENSOR_FAULT, seen.fault
        if seen.score is None and self._shown is State.SENSOR_FAULT:  # only a good window ends a fault
            return State.SENSOR_FAULT, None
        if self._heard is State.OK:
            judged = self._judged_share()
            if judged is not None:
                return State.NOISY, f"only {judged:.0%} of the last {self.rule.noisy_s / 60:g} min was judged"
        return self._heard, None

    def _judged_share(self) -> float | None:
        """Return the judged share of the last `noisy_s` when it is too small to trust, with hysteresis."""
        recent = self._recent(self.rule.noisy_s)
        judged = sum(mark.step_s for mark in recent if mark.on is not None)
        known = judged + sum(mark.step_s for mark in recent if mark.lost)
        share = judged / known if known else 1.0
        limit = self.rule.coverage + (0.2 if self._shown is State.NOISY else 0.0)
        return share if known >= 0.9 * self.rule.noisy_s and share < min(1.0, limit) else None

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON. Times are ages in seconds."""
        now = self._marks[-1].time_s if self._marks else self._heard_since
        return {
            "heard": self._heard.value,
            "shown": self._shown.value,
            "age_s": round(now - self._heard_since, 1),
            "marks": [[round(now - m.time_s, 1), m.step_s, m.on, m.sure, m.lost] for m in self._marks],
        }

    def restore(self, saved: Mapping[str, Any], time_s: float, gap_s: float) -> None:
        """Go on from a snapshot taken `gap_s` seconds before `time_s`. Raises ValueError when it is not one."""
        try:
            heard, shown = State(saved["heard"]), State(saved["shown"])
            then = time_s - max(0.0, gap_s)
            marks = [
                _Mark(then - float(a), float(s), on, bool(sure), bool(lost)) for a, s, on, sure, lost in saved["marks"]
            ]
            since = then - float(saved["age_s"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"saved decision state is unusable: {error}") from None
        self._heard, self._shown, self._heard_since, self._marks = heard, shown, since, deque(marks)


def rule_from(defaults: Mapping[str, Any], overrides: Mapping[str, Any]) -> DecisionRule:
    """Build the rule from a model's defaults and a site's overrides. Raises ConfigError for an impossible one."""
    known = {declared.name for declared in fields(DecisionRule)}
    merged = {key: value for key, value in defaults.items() if key in known} | dict(overrides)
    return DecisionRule(**merged)
