"""Decide: scores over time become OK, WARNING, LEAK, NOISY or SENSOR_FAULT.

The network hears "flow-like noise" in one window; a running tap is the same physics. Time tells them apart: use ends,
a leak does not. So WARNING needs the sound on for most of a span longer than the longest legitimate use, LEAK needs it
to go on through a confirmation, and only quiet clears either. Windows nobody could judge count neither way. A faint
leak moves the score less than places differ: it is heard as a rise above what is usual at this node, under the same
three conditions. Pure: no clock, no I/O; replay, evaluation and the daemon run this same code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from leakear.edge.background.background import Rise
from leakear.edge.decision.rule import DecisionRule, rule_from
from leakear.edge.decision.window_log import Heard, Mark, Marks

__all__ = ["Decision", "DecisionRule", "Observation", "State", "Transition", "rule_from"]

RISE_HOLD = 0.8
"""Share of `rise_db` down to which a rise that raised a warning still counts."""
STRONG = 2.0
"""Multiple of `rise_db` from which a rise waits only half as long for LEAK."""


class State(StrEnum):
    """What a node says of its pipe, or of itself."""

    OK = "OK"
    WARNING = "WARNING"
    LEAK = "LEAK"
    NOISY = "NOISY"
    SENSOR_FAULT = "SENSOR_FAULT"


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
    """named sensor fault; its windows count neither way, but for a doubt"""
    rise: Rise | None = None
    """the last span against what is usual here; None: not known"""
    doubt: bool = False
    """the fault makes only quiet doubtful: a sensor that may hang in the air and yet hears a leak hears one"""

    @property
    def heard(self) -> bool:
        """Whether its score may speak of a leak."""
        return self.score is not None and (self.fault is None or self.doubt)


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state, to be told to the world."""

    source: State
    target: State
    reason: str
    """for people: one short clause with the numbers that decided"""
    on_fraction: float
    again: bool = False
    """what was announced before, and holds again after a fault: no new alert"""


class Decision:
    """The state of one node."""

    def __init__(self, rule: DecisionRule) -> None:
        self.rule = rule
        self._marks = Marks()
        self._heard = State.OK  # what the pipe is believed to do, whatever the sensor does meanwhile
        self._heard_since = 0.0
        self._by_rise = False  # whether a rise, and not the score, raised what is believed
        self._shown = State.OK
        self._announced = State.OK  # what was shown last of the pipe itself
        self._judged_s: float | None = None  # end of the last window that counted
        self._blind = False

    @property
    def blind(self) -> bool:
        """Whether too few of the last windows could be judged, whatever is believed."""
        return self._blind

    @property
    def suspicious(self) -> bool:
        """Whether a leak is suspected or said: nothing heard meanwhile may become usual."""
        return self._heard is not State.OK

    @property
    def state(self) -> State:
        """What the node says now."""
        return self._shown

    @property
    def on_fraction(self) -> float:
        """Share of on windows among the judged ones of the last span, 0 to 1."""
        return self._marks.over(self.rule.span_s).share

    def update(self, seen: Observation) -> Transition | None:
        """Take one window; return a transition when the state changes."""
        unheard_s = 0.0 if self._judged_s is None else seen.time_s - self._judged_s
        self._remember(seen)
        reason = self._judge(seen, unheard_s) if seen.heard else None
        self._blind = self._too_little_judged()
        shown, why = self._overlay(seen)
        if shown is self._shown:
            return None
        again = reason is None and shown is self._announced and shown is not State.OK
        ended = f"{self._shown} ended; {shown} as last heard" if again else f"{self._shown} ended"
        change = Transition(self._shown, shown, why or reason or ended, self.on_fraction, again)
        self._shown = shown
        if shown in (State.OK, State.WARNING, State.LEAK):
            self._announced = shown
        return change

    def _remember(self, seen: Observation) -> None:
        rule = self.rule
        on = sure = False
        if seen.heard:
            assert seen.score is not None
            level = 0.0 if seen.level_dbfs is None else seen.level_dbfs
            on = seen.score >= rule.threshold and level >= rule.level_gate_dbfs
            sure = seen.score >= rule.fast_score and level >= rule.fast_level_dbfs
        judged = seen.heard and (on or not seen.doubt)  # a doubtful quiet counts neither way
        lost = seen.score is None and seen.fault is None
        risen = self._risen(seen.rise) if judged else None
        mark = Mark(seen.time_s, seen.step_s, on if judged else None, sure, lost, risen)
        longest = max(rule.span_s, rule.confirm_s, 2 * rule.rise_s, rule.clear_s, rule.noisy_s, rule.fast_s)
        self._marks.add(mark, longest)
        if judged:
            self._judged_s = seen.time_s

    def _risen(self, rise: Rise | None) -> bool | None:
        """Tell whether a rise counts; one that already raised a warning counts a little longer."""
        if rise is None or not self.rule.rise_db:
            return None
        wanted = self.rule.rise_db * (RISE_HOLD if self._by_rise and self.suspicious else 1.0)
        return rise.db >= wanted and not rise.weather

    def _judge(self, seen: Observation, unheard_s: float) -> str | None:
        """Move between OK, WARNING and LEAK; return the reason when it moved."""
        rule = self.rule
        if self._heard is State.WARNING and unheard_s > rule.span_s + seen.step_s:  # whatever began may have ended
            return self._move(State.OK, seen, f"nothing could be judged for {unheard_s / 60:.0f} min")
        if self._heard is not State.LEAK and rule.fast_s and self._marks.sure_for(rule.fast_s):
            return self._move(State.LEAK, seen, f"very loud and very sure for {rule.fast_s:g} s")
        if self._heard is State.OK:
            return self._suspect(seen)
        if not seen.doubt and self._quiet():
            return self._move(State.OK, seen, f"quiet for {rule.clear_s / 60:g} min")
        return self._confirm(seen) if self._heard is State.WARNING else None

    def _suspect(self, seen: Observation) -> str | None:
        rule = self.rule
        span = self._marks.over(rule.span_s)
        if self._lasted(span, rule.span_s, seen) and self._went_on(span, seen):
            return self._move(State.WARNING, seen, f"on {span.share:.0%} of the last {rule.span_s / 60:g} min")
        if self._risen(seen.rise) and self._went_on(self._marks.risen_over(max(rule.rise_s, seen.step_s)), seen):
            return self._move(State.WARNING, seen, self._above(seen), by_rise=True)
        return None

    def _quiet(self) -> bool:
        """Tell whether neither the score nor a rise has spoken lately."""
        rule = self.rule
        heard, risen = self._marks.over(rule.clear_s), self._marks.risen_over(rule.clear_s)
        if heard.covered < rule.coverage or heard.share > rule.clear_fraction:
            return False
        known = risen.covered >= rule.coverage
        return risen.share <= rule.clear_fraction if known else not (self._by_rise and rule.rise_db)

    def _confirm(self, seen: Observation) -> str | None:
        rule = self.rule
        share = self._marks.over(rule.span_s).share
        if not seen.doubt and share < rule.release_fraction and self._subsided(seen):
            return self._move(State.OK, seen, f"on only {share:.0%} of the last {rule.span_s / 60:g} min")
        if not rule.quiet_hour(seen.utc):
            return None
        waited = seen.time_s - self._heard_since + 1e-6
        score = self._marks.over(max(rule.confirm_s, seen.step_s))
        if waited >= rule.confirm_s and self._lasted(score, rule.confirm_s, seen) and self._went_on(score, seen):
            return self._move(State.LEAK, seen, f"went on for {rule.confirm_s / 60:g} min after WARNING")
        wait = rule.rise_s * (1 if seen.rise and seen.rise.db >= STRONG * rule.rise_db else 2)
        above = self._marks.risen_over(max(wait, seen.step_s))
        if self._risen(seen.rise) and waited >= wait and self._lasted(above, wait, seen) and self._went_on(above, seen):
            return self._move(State.LEAK, seen, self._above(seen), by_rise=True)
        return None

    def _subsided(self, seen: Observation) -> bool:
        """Tell whether no rise has stood for most of the last while; one faint moment does not end a faint leak."""
        lately = self._marks.risen_over(max(self.rule.rise_s, seen.step_s))
        if lately.covered < self.rule.coverage:
            return not self._by_rise
        return lately.share < self.rule.release_fraction

    def _lasted(self, heard: Heard, span_s: float, seen: Observation) -> bool:
        """Tell whether the sound itself filled a span, however few windows could be judged: use of water does not."""
        return heard.extent_s >= self.rule.on_fraction * span_s - 2 * seen.step_s

    def _went_on(self, heard: Heard, seen: Observation) -> bool:
        """Tell whether most of a span was on; in doubt, when only that is counted, it must fill the span itself."""
        enough = self.rule.on_fraction if seen.doubt else self.rule.coverage
        return heard.covered >= enough and heard.share >= self.rule.on_fraction

    def _above(self, seen: Observation) -> str:
        assert seen.rise is not None
        how, where = f"{seen.rise.db:.1f} dB above anything usual here", f"around {seen.rise.hz:.0f} Hz"
        return f"{how} {where} for {self.rule.span_s / 60:g} min"

    def _move(self, target: State, seen: Observation, reason: str, *, by_rise: bool = False) -> str:
        self._heard, self._heard_since, self._by_rise = target, seen.time_s, by_rise
        return reason

    def _overlay(self, seen: Observation) -> tuple[State, str | None]:
        """Return the state to show: a deaf sensor stands above what was heard, doubt below it."""
        if seen.fault is not None and not (seen.doubt and self.suspicious and self._still_heard()):
            return State.SENSOR_FAULT, seen.fault
        if seen.score is None and self._shown is State.SENSOR_FAULT:  # only a good window ends a fault
            return State.SENSOR_FAULT, None
        if self._blind and self._heard is State.OK:
            judged = self._marks.judged_share(self.rule.noisy_s) or 0.0
            return State.NOISY, f"only {judged:.0%} of the last {self.rule.noisy_s / 60:g} min was judged"
        return self._heard, None

    def _still_heard(self) -> bool:
        """Tell whether on windows, the only ones a doubt leaves, have come lately."""
        lately = self._marks.over(self.rule.clear_s)
        return lately.share * lately.covered > self.rule.clear_fraction

    def _too_little_judged(self) -> bool:
        """Tell whether nothing can be said, with hysteresis."""
        judged = self._marks.judged_share(self.rule.noisy_s)
        return judged is not None and judged < min(1.0, self.rule.coverage + (0.2 if self._blind else 0.0))

    def forget_rises(self) -> None:
        """Take no rise heard so far into account: what is usual is learnt anew."""
        self._by_rise = False
        self._marks.forget_rises()

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON. Times are ages in seconds."""
        now = self._heard_since if self._marks.newest_s is None else self._marks.newest_s
        return {
            "heard": self._heard.value,
            "shown": self._shown.value,
            "announced": self._announced.value,
            "age_s": round(now - self._heard_since, 1),
            "by_rise": self._by_rise,
            "marks": self._marks.snapshot(now),
        }

    def restore(self, saved: Mapping[str, Any], time_s: float, gap_s: float) -> None:
        """Go on from a snapshot taken `gap_s` seconds before `time_s`. Raises ValueError when it is not one."""
        try:
            heard, shown = State(saved["heard"]), State(saved["shown"])
            then = time_s - max(0.0, gap_s)
            marks = Marks.restored(saved["marks"], then)
            since, by_rise = then - float(saved["age_s"]), bool(saved.get("by_rise", False))
            announced = State(saved.get("announced", heard))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"saved decision state is unusable: {error}") from None
        if heard is State.WARNING and marks.newest_judged_s is None:
            heard = State.OK  # nobody knows how long ago that was
        self._heard, self._shown, self._heard_since, self._marks, self._by_rise = heard, shown, since, marks, by_rise
        self._announced, self._judged_s = announced, marks.newest_judged_s
