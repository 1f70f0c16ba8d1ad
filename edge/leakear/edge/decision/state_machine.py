"""The state machine: scores, excesses and faults over time become OK, WARNING, LEAK, NOISY or SENSOR_FAULT.

The network detects the sound of flow in one window; a running tap has the same sound. Time tells them apart: use of
water ends, a leak does not. So WARNING needs the sound for most of a span longer than the longest use of water, LEAK
needs it to continue for `confirm_s` more, and only quiet ends WARNING or LEAK. Windows without a valid score are not
counted. A faint leak changes the score less than places differ: it is detected by its excess over the background of the
node, under the same three conditions. Pure: no clock, no I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from leakear.edge.background.background import Excess
from leakear.edge.decision.rule import DecisionRule, rule_from
from leakear.edge.decision.window_log import LoggedWindow, SpanSummary, WindowLog

__all__ = ["Decision", "DecisionRule", "Observation", "State", "Transition", "rule_from"]

EXCESS_HOLD = 0.8
"""Share of `rise_db` from which an excess that caused a WARNING still counts."""
STRONG = 2.0
"""Multiple of `rise_db` from which an excess waits only half as long for LEAK."""


class State(StrEnum):
    """The published state of a node: of its pipe, or of its sensor."""

    OK = "OK"
    WARNING = "WARNING"
    LEAK = "LEAK"
    NOISY = "NOISY"
    SENSOR_FAULT = "SENSOR_FAULT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One window as the rule sees it, or one second of a sensor fault."""

    time_s: float
    """s, monotonic, end of the window"""
    utc: float
    """s since 1970, end of the window"""
    step_s: float
    """s that this window stands for"""
    score: float | None
    """P(leak); None: the window has no score (dropped, gap, fault)"""
    dbmin: float | None = None
    """dBmin of the window, dBFS"""
    fault: str | None = None
    """names of the faults; a window with a fault is not counted, except where `low_confidence` is set"""
    excess: Excess | None = None
    """the last span compared with the background; None: not known"""
    low_confidence: bool = False
    """low-confidence quiet: a high score counts although there is a fault, a low one does not"""

    @property
    def usable(self) -> bool:
        """Whether its score may count."""
        return self.score is not None and (self.fault is None or self.low_confidence)


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of the published state."""

    source: State
    target: State
    reason: str
    """for people: one short clause with the numbers that decided"""
    on_fraction: float
    again: bool = False
    """True: a fault has ended and the state before it is published again; this is no new alert"""


class Decision:
    """The state of one node."""

    def __init__(self, rule: DecisionRule) -> None:
        self.rule = rule
        self._log = WindowLog()
        self._pipe = State.OK  # state of the pipe: OK, WARNING or LEAK, whatever the sensor does meanwhile
        self._pipe_since = 0.0
        self._by_excess = False  # whether the excess, and not the score, caused the state of the pipe
        self._shown = State.OK
        self._announced = State.OK  # the state of the pipe that was published last
        self._counted_s: float | None = None  # end of the last window that counted
        self._too_few = False

    @property
    def too_few_counted(self) -> bool:
        """Whether too few of the last windows had a score that counts, whatever the state of the pipe."""
        return self._too_few

    @property
    def leak_suspected(self) -> bool:
        """Whether the pipe is in WARNING or LEAK: what is heard meanwhile must not join the background."""
        return self._pipe is not State.OK

    @property
    def state(self) -> State:
        """The state to publish."""
        return self._shown

    @property
    def on_fraction(self) -> float:
        """Share of on windows among those that count of the last span, 0 to 1."""
        return self._log.scores(self.rule.span_s).share

    def update(self, seen: Observation) -> Transition | None:
        """Take one window; return a transition when the state changes."""
        gap_s = 0.0 if self._counted_s is None else seen.time_s - self._counted_s
        self._record(seen)
        reason = self._next(seen, gap_s) if seen.usable else None
        self._too_few = self._counts_too_little()
        shown, why = self._published_state(seen)
        if shown is self._shown:
            return None
        again = reason is None and shown is self._announced and shown is not State.OK
        ended = f"{self._shown} ended; {shown} as last heard" if again else f"{self._shown} ended"
        change = Transition(self._shown, shown, why or reason or ended, self.on_fraction, again)
        self._shown = shown
        if shown in (State.OK, State.WARNING, State.LEAK):
            self._announced = shown
        return change

    def _record(self, seen: Observation) -> None:
        """Write a window into the log."""
        rule = self.rule
        on = sure = False
        if seen.usable:
            assert seen.score is not None
            level = 0.0 if seen.dbmin is None else seen.dbmin
            on = seen.score >= rule.threshold and level >= rule.level_gate_dbfs
            sure = seen.score >= rule.fast_score and level >= rule.fast_level_dbfs
        counts = seen.usable and (on or not seen.low_confidence)
        window = LoggedWindow(
            time_s=seen.time_s,
            step_s=seen.step_s,
            on=on if counts else None,
            sure=sure,
            lost=seen.score is None and seen.fault is None,
            above=self._above(seen.excess) if counts else None,
        )
        longest = max(rule.span_s, rule.confirm_s, 2 * rule.rise_s, rule.clear_s, rule.noisy_s, rule.fast_s)
        self._log.add(window, longest)
        if counts:
            self._counted_s = seen.time_s

    def _above(self, excess: Excess | None) -> bool | None:
        """Tell whether an excess counts; in a WARNING caused by an excess, a slightly smaller one still does."""
        if excess is None or not self.rule.rise_db:
            return None
        wanted = self.rule.rise_db * (EXCESS_HOLD if self._by_excess and self.leak_suspected else 1.0)
        return excess.db >= wanted and not excess.weather

    def _next(self, seen: Observation, gap_s: float) -> str | None:
        """Move between OK, WARNING and LEAK; return the reason when the state of the pipe changed.

        `gap_s`: seconds since the last window that counted.
        """
        rule = self.rule
        if self._pipe is State.WARNING and gap_s > rule.span_s + seen.step_s:  # the sound may have ended meanwhile
            return self._move(State.OK, seen, f"nothing could be judged for {gap_s / 60:.0f} min")
        if self._pipe is not State.LEAK and rule.fast_s and self._log.sure_for(rule.fast_s):
            return self._move(State.LEAK, seen, f"very loud and very sure for {rule.fast_s:g} s")
        if self._pipe is State.OK:
            return self._suspect(seen)
        if not seen.low_confidence and self._quiet():
            return self._move(State.OK, seen, f"quiet for {rule.clear_s / 60:g} min")
        return self._confirm(seen) if self._pipe is State.WARNING else None

    def _suspect(self, seen: Observation) -> str | None:
        """Move from OK to WARNING."""
        rule = self.rule
        span = self._log.scores(rule.span_s)
        if self._lasted(span, rule.span_s, seen) and self._continuous(span, seen):
            return self._move(State.WARNING, seen, f"on {span.share:.0%} of the last {rule.span_s / 60:g} min")
        above = self._log.excesses(max(rule.rise_s, seen.step_s))
        if self._above(seen.excess) and self._continuous(above, seen):
            return self._move(State.WARNING, seen, self._excess_text(seen), by_excess=True)
        return None

    def _quiet(self) -> bool:
        """Tell whether neither the scores nor the excesses of the last `clear_s` seconds indicate a leak."""
        rule = self.rule
        scores, excesses = self._log.scores(rule.clear_s), self._log.excesses(rule.clear_s)
        if scores.covered < rule.coverage or scores.share > rule.clear_fraction:
            return False
        known = excesses.covered >= rule.coverage
        return excesses.share <= rule.clear_fraction if known else not (self._by_excess and rule.rise_db)

    def _confirm(self, seen: Observation) -> str | None:
        """Move from WARNING to LEAK, or back to OK."""
        rule = self.rule
        share = self._log.scores(rule.span_s).share
        if not seen.low_confidence and share < rule.release_fraction and self._subsided(seen):
            return self._move(State.OK, seen, f"on only {share:.0%} of the last {rule.span_s / 60:g} min")
        if not rule.quiet_hour(seen.utc):
            return None
        waited = seen.time_s - self._pipe_since + 1e-6
        span = self._log.scores(max(rule.confirm_s, seen.step_s))
        if waited >= rule.confirm_s and self._lasted(span, rule.confirm_s, seen) and self._continuous(span, seen):
            return self._move(State.LEAK, seen, f"went on for {rule.confirm_s / 60:g} min after WARNING")
        wait = rule.rise_s * (1 if seen.excess and seen.excess.db >= STRONG * rule.rise_db else 2)
        above = self._log.excesses(max(wait, seen.step_s))
        lasted = waited >= wait and self._lasted(above, wait, seen) and self._continuous(above, seen)
        if self._above(seen.excess) and lasted:
            return self._move(State.LEAK, seen, self._excess_text(seen), by_excess=True)
        return None

    def _subsided(self, seen: Observation) -> bool:
        """Tell whether the excess was too small for most of `rise_s`; one such window does not end a faint leak."""
        lately = self._log.excesses(max(self.rule.rise_s, seen.step_s))
        if lately.covered < self.rule.coverage:
            return not self._by_excess
        return lately.share < self.rule.release_fraction

    def _lasted(self, span: SpanSummary, span_s: float, seen: Observation) -> bool:
        """Tell whether the sound was there from the beginning of a span to its end, however few windows count."""
        return span.extent_s >= self.rule.on_fraction * span_s - 2 * seen.step_s

    def _continuous(self, span: SpanSummary, seen: Observation) -> bool:
        """Tell whether most of a span was on. With low-confidence quiet only on windows count: they must fill it."""
        enough = self.rule.on_fraction if seen.low_confidence else self.rule.coverage
        return span.covered >= enough and span.share >= self.rule.on_fraction

    def _excess_text(self, seen: Observation) -> str:
        assert seen.excess is not None
        how_far, where = f"{seen.excess.db:.1f} dB over the background", f"around {seen.excess.hz:.0f} Hz"
        return f"{how_far} {where} for {self.rule.span_s / 60:g} min"

    def _move(self, target: State, seen: Observation, reason: str, *, by_excess: bool = False) -> str:
        self._pipe, self._pipe_since, self._by_excess = target, seen.time_s, by_excess
        return reason

    def _published_state(self, seen: Observation) -> tuple[State, str | None]:
        """Return the state to publish and the reason: SENSOR_FAULT replaces every state of the pipe, NOISY only OK."""
        if seen.fault is not None and not (seen.low_confidence and self.leak_suspected and self._still_on()):
            return State.SENSOR_FAULT, seen.fault
        if seen.score is None and self._shown is State.SENSOR_FAULT:  # only a good window ends a fault
            return State.SENSOR_FAULT, None
        if self._too_few and self._pipe is State.OK:
            counted = self._log.counted_share(self.rule.noisy_s) or 0.0
            return State.NOISY, f"only {counted:.0%} of the last {self.rule.noisy_s / 60:g} min was judged"
        return self._pipe, None

    def _still_on(self) -> bool:
        """Return whether more than `clear_fraction` of the last `clear_s` seconds was on."""
        lately = self._log.scores(self.rule.clear_s)
        return lately.share * lately.covered > self.rule.clear_fraction

    def _counts_too_little(self) -> bool:
        """Tell whether too few of the last windows count, with hysteresis."""
        counted = self._log.counted_share(self.rule.noisy_s)
        return counted is not None and counted < min(1.0, self.rule.coverage + (0.2 if self._too_few else 0.0))

    def forget_excesses(self) -> None:
        """Ignore every excess so far: the background is learned again."""
        self._by_excess = False
        self._log.forget_excesses()

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values. Times are ages in seconds."""
        now = self._pipe_since if self._log.newest_s is None else self._log.newest_s
        return {
            "heard": self._pipe.value,
            "shown": self._shown.value,
            "announced": self._announced.value,
            "age_s": round(now - self._pipe_since, 1),
            "by_rise": self._by_excess,
            "marks": self._log.snapshot(now),
        }

    def restore(self, saved: Mapping[str, Any], time_s: float, gap_s: float) -> None:
        """Continue from a snapshot taken `gap_s` seconds before `time_s`. Raises ValueError when it is not one."""
        try:
            pipe, shown = State(saved["heard"]), State(saved["shown"])
            then = time_s - max(0.0, gap_s)
            log = WindowLog.restored(saved["marks"], then)
            since, by_excess = then - float(saved["age_s"]), bool(saved.get("by_rise", False))
            announced = State(saved.get("announced", pipe))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"saved decision state is unusable: {error}") from None
        if pipe is State.WARNING and log.newest_counted_s is None:
            pipe = State.OK  # the time since the last window that counted is unknown
        self._pipe, self._shown, self._pipe_since, self._log, self._by_excess = pipe, shown, since, log, by_excess
        self._announced, self._counted_s = announced, log.newest_counted_s
