"""The state machine: scores, excesses and faults over time become OK, WARNING, LEAK, NOISY or SENSOR_FAULT.

The network detects the sound of flow in one window; a running tap has the same sound. Time and place tell them apart.
By day, WARNING needs a sound that scores as a leak for most of a span longer than the usual use of water, and that is
above everything this node has heard at its place; LEAK needs it to continue for `confirm_s` more, and only quiet ends
WARNING or LEAK. Faint leaks are found by night (`nights`). Windows without a valid score are not counted, and what may
be weather is unknown, neither leak nor quiet. Pure: no clock, no I/O.
"""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from leakear.edge.background.background import Excess
from leakear.edge.background.own_limit import OwnLimit
from leakear.edge.decision.nights import Night, Nights, local_time
from leakear.edge.decision.observation import Observation, State, Transition, worse
from leakear.edge.decision.rule import DecisionRule, rule_from
from leakear.edge.decision.window_log import LoggedWindow, SpanSummary, WindowLog

__all__ = ["Decision", "DecisionRule", "Observation", "State", "Transition", "rule_from"]

HOLD = 0.8
"""Share of the limit from which an excess still counts during a WARNING or LEAK."""


class Decision:
    """The state of one node."""

    def __init__(self, rule: DecisionRule) -> None:
        self.rule = rule
        self.nights = Nights()
        self.closed_night: Night | None = None
        """the night that ended with the last window; None: none did"""
        self._zone: tzinfo | None = rule.zone
        self._log = WindowLog()
        self._limit = OwnLimit()  # of the excess that stood and scored as a leak, a day
        self._peak_db = 0.0  # largest such excess of this day
        self._day = State.OK  # what the hours say of the pipe: OK, WARNING or LEAK, whatever the sensor does meanwhile
        self._night = State.OK  # what the nights say
        self._since = 0.0  # when `_day` began
        self._shown = State.OK
        self._announced = State.OK  # the state of the pipe that was published last
        self._counted_s: float | None = None  # end of the last window that counted
        self._too_few = False

    @property
    def too_few_counted(self) -> bool:
        """Whether too few of the last windows had a score that counts, whatever the state of the pipe."""
        return self._too_few

    @property
    def pipe(self) -> State:
        """The state of the pipe, whatever the sensor does: OK, WARNING or LEAK."""
        return worse(self._day, self._night)

    @property
    def leak_suspected(self) -> bool:
        """Whether the pipe is in WARNING or LEAK."""
        return self.pipe is not State.OK

    @property
    def state(self) -> State:
        """The state to publish."""
        return self._shown

    @property
    def on_fraction(self) -> float:
        """Share of on windows among those that count of the last span, 0 to 1."""
        return self._log.scores(self.rule.span_s).share

    @property
    def limit_db(self) -> float:
        """The excess from which a sound that scores as a leak counts by day, dB: learnt from this node's past."""
        return max(self.rule.rise_db, self._limit.db(self.nights.variation.change_db))

    def update(self, seen: Observation) -> Transition | None:
        """Take one window; return a transition when the state changes."""
        gap_s = 0.0 if self._counted_s is None else seen.time_s - self._counted_s
        self._record(seen)
        reason = self._next(seen, gap_s) if seen.usable else None
        reason = self._follow_nights(seen) or reason
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
        longest = max(rule.span_s, rule.confirm_s, rule.rise_s, rule.clear_s, rule.noisy_s, rule.fast_s)
        self._log.add(window, longest)
        if counts:
            self._counted_s = seen.time_s

    def _above(self, excess: Excess | None) -> bool | None:
        """Tell whether an excess counts, during a suspicion from a slightly smaller one on; None: not known."""
        if excess is None or not self.rule.rise_db:
            return None
        above = excess.db >= self.limit_db * (HOLD if self._day is not State.OK else 1.0)
        return None if above and excess.weather else above

    def _next(self, seen: Observation, gap_s: float) -> str | None:
        """Move `_day` between OK, WARNING and LEAK; return the reason when it changed.

        `gap_s`: seconds since the last window that counted.
        """
        rule = self.rule
        self._note_peak(seen)
        if self._day is State.WARNING and gap_s > rule.span_s + seen.step_s:  # the sound may have ended meanwhile
            return self._move(State.OK, seen, f"nothing could be judged for {gap_s / 60:.0f} min")
        if self._day is not State.LEAK and rule.fast_s and self._log.sure_for(rule.fast_s):
            return self._move(State.LEAK, seen, f"very loud and very sure for {rule.fast_s:g} s")
        if self._day is State.OK:
            return self._suspect(seen)
        if not seen.low_confidence and self._quiet(seen):
            return self._move(State.OK, seen, f"quiet for {rule.clear_s / 60:g} min")
        return self._confirm(seen) if self._day is State.WARNING else None

    def _suspect(self, seen: Observation) -> str | None:
        """Move from OK to WARNING."""
        rule = self.rule
        if self._sounds_like_leak(rule.span_s, seen) and self._stands_above(rule.rise_s, seen) is not False:
            share = self._log.scores(rule.span_s).share
            heard = f"sounds like a leak in {share:.0%} of the last {rule.span_s / 60:g} min"
            return self._move(State.WARNING, seen, heard + self._place_text(seen))
        return None

    def _confirm(self, seen: Observation) -> str | None:
        """Move from WARNING to LEAK, or back to OK."""
        rule = self.rule
        share = self._log.scores(rule.span_s).share
        if not seen.low_confidence and share < rule.release_fraction:
            return self._move(State.OK, seen, f"on only {share:.0%} of the last {rule.span_s / 60:g} min")
        if not rule.quiet_hour(seen.utc) or seen.time_s - self._since + 1e-6 < rule.confirm_s:
            return None
        above = self._stands_above(rule.rise_s, seen)
        known = above if rule.leak_needs_background else above is not False
        if known and self._sounds_like_leak(rule.confirm_s, seen):
            text = f"went on for {rule.confirm_s / 60:g} min after WARNING"
            return self._move(State.LEAK, seen, text + self._place_text(seen))
        return None

    def _sounds_like_leak(self, span_s: float, seen: Observation) -> bool:
        """Tell whether most of a span was on, from its beginning to its end."""
        span_s = max(span_s, seen.step_s)
        span = self._log.scores(span_s)
        return self._lasted(span, span_s, seen) and self._continuous(span, seen)

    def _stands_above(self, span_s: float, seen: Observation) -> bool | None:
        """Tell whether most of a span was above the own limit of this node; None: the background is not known."""
        if seen.excess is None or not self.rule.rise_db:
            return None
        return self._above(seen.excess) is True and self._continuous(self._log.excesses(max(span_s, seen.step_s)), seen)

    def _place_text(self, seen: Observation) -> str:
        if seen.excess is None:
            return "; what this place usually sounds like is not known yet"
        return (
            f", {seen.excess.db:.1f} dB over the background around {seen.excess.hz:.0f} Hz "
            f"(limit of this node {self.limit_db:.1f} dB)"
        )

    def _quiet(self, seen: Observation) -> bool:
        """Tell whether the scores of the last `clear_s` seconds indicate no leak, and the excesses neither."""
        rule = self.rule
        scores, excesses = self._log.scores(rule.clear_s), self._log.excesses(rule.clear_s)
        if scores.covered < rule.coverage or scores.share > rule.clear_fraction:
            return False
        if seen.excess is None or not rule.rise_db:
            return True
        return excesses.covered >= rule.coverage and excesses.share <= rule.clear_fraction

    def _lasted(self, span: SpanSummary, span_s: float, seen: Observation) -> bool:
        """Tell whether the sound was there from the beginning of a span to its end, however few windows count."""
        return span.extent_s >= self.rule.on_fraction * span_s - 2 * seen.step_s

    def _continuous(self, span: SpanSummary, seen: Observation) -> bool:
        """Tell whether most of a span was on. With low-confidence quiet only on windows count: they must fill it."""
        enough = self.rule.on_fraction if seen.low_confidence else self.rule.coverage
        return span.covered >= enough and span.share >= self.rule.on_fraction

    def _note_peak(self, seen: Observation) -> None:
        """Keep the largest excess of this day that stood and scored as a leak: the own limit is learnt from it."""
        if self._day is State.LEAK or seen.excess is None or seen.excess.db <= self._peak_db:
            return
        if self._sounds_like_leak(self.rule.span_s, seen):
            self._peak_db = seen.excess.db

    def _move(self, target: State, seen: Observation, reason: str) -> str:
        if target is State.LEAK:
            self._peak_db = 0.0
        self._day, self._since = target, seen.time_s
        return reason

    def _follow_nights(self, seen: Observation) -> str | None:
        """Take the window for the night it belongs to; return the reason when the nights changed their mind."""
        self.closed_night = night = self.nights.update(
            local_time(seen.utc, self._zone),
            seen.step_s,
            on=seen.score >= self.rule.threshold if seen.usable and seen.score is not None else None,
            excess=seen.excess,
            quiet=seen.quiet,
            hours=self.rule.night_minutes,
        )
        if night is not None and self._day is not State.LEAK:
            self._limit.add(self._peak_db)
            self._peak_db = 0.0
        state = self.nights.state if self.rule.rise_db else State.OK
        if state is self._night:
            return None
        self._night = state
        return self.nights.reason

    def _published_state(self, seen: Observation) -> tuple[State, str | None]:
        """Return the state to publish and the reason: SENSOR_FAULT replaces every state of the pipe, NOISY only OK."""
        if seen.fault is not None and not (seen.low_confidence and self.leak_suspected and self._still_on()):
            return State.SENSOR_FAULT, seen.fault
        if seen.score is None and self._shown is State.SENSOR_FAULT:  # only a good window ends a fault
            return State.SENSOR_FAULT, None
        if self._too_few and self.pipe is State.OK:
            counted = self._log.counted_share(self.rule.noisy_s) or 0.0
            return State.NOISY, f"only {counted:.0%} of the last {self.rule.noisy_s / 60:g} min was judged"
        return self.pipe, None

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
        self.nights, self._night = Nights(), State.OK
        self._limit, self._peak_db = OwnLimit(), 0.0
        self._log.forget_excesses()

    def accept(self) -> None:
        """Learn that what was heard is no leak: a person has stated it."""
        self._limit.add(self._peak_db)
        self.nights.accept()
        self._day = self._night = State.OK
        self._peak_db = 0.0
        self._log.forget_all()

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values. Times are ages in seconds."""
        now = self._since if self._log.newest_s is None else self._log.newest_s
        return {
            "heard": self._day.value,
            "shown": self._shown.value,
            "announced": self._announced.value,
            "age_s": round(now - self._since, 1),
            "marks": self._log.snapshot(now),
            "nights": self.nights.snapshot(),
            "limit": self._limit.snapshot(),
            "peak_db": round(self._peak_db, 2),
        }

    def restore(self, saved: Mapping[str, Any], time_s: float, gap_s: float) -> None:
        """Continue from a snapshot taken `gap_s` seconds before `time_s`. Raises ValueError when it is not one."""
        try:
            day, shown = State(saved["heard"]), State(saved["shown"])
            then = time_s - max(0.0, gap_s)
            log = WindowLog.restored(saved["marks"], then)
            since, announced = then - float(saved["age_s"]), State(saved.get("announced", day))
            nights, limit = Nights(), OwnLimit(saved.get("limit", []))
            if "nights" in saved:
                nights.restore(saved["nights"])
            peak_db = float(saved.get("peak_db", 0.0))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"saved decision state is unusable: {error}") from None
        if day is State.WARNING and log.newest_counted_s is None:
            day = State.OK  # the time since the last window that counted is unknown
        self._day, self._shown, self._since, self._log = day, shown, since, log
        self._announced, self._counted_s = announced, log.newest_counted_s
        self.nights, self._limit, self._peak_db = nights, limit, peak_db
        self._night = nights.state if self.rule.rise_db else State.OK
