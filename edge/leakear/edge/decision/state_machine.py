"""The state machine: what the hours and the nights say of the pipe, and faults, become the state of the node.

`hours` tells what is strong and sounds like a leak within the hour; `nights` what is faint but comes back; the worse of
the two is the state of the pipe. A fault of the sensor is shown instead, and too few windows that count are NOISY.
Pure: no clock, no I/O.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from leakear.edge.decision.hours import Hours
from leakear.edge.decision.night_levels import NightLevels, NightLog
from leakear.edge.decision.nights import Night, Nights, local_time
from leakear.edge.decision.observation import DecidedOn, Observation, State, Transition, worse
from leakear.edge.decision.rule import DecisionRule, rule_from
from leakear.edge.decision.wording import alert_reason

__all__ = ["DecidedOn", "Decision", "DecisionRule", "Observation", "State", "Transition", "rule_from"]


class Decision:
    """The state of one node."""

    def __init__(self, rule: DecisionRule) -> None:
        self.hours = Hours(rule)
        self.nights = Nights()
        self.closed_night: Night | None = None
        """the night that ended with the last window; None: none did"""
        self.night_levels: NightLevels | None = None
        """what was heard in it, whatever it means; None: none ended"""
        self._night_log = NightLog()
        self._shown = State.OK
        self._announced = State.OK  # the state of the pipe that was published last
        self._too_few = False
        self._stated: str | None = None  # what a person has stated since the last window
        self.rule = rule

    @property
    def rule(self) -> DecisionRule:
        """The rule; another one may be set at any time and holds from the next window on."""
        return self.hours.rule

    @rule.setter
    def rule(self, rule: DecisionRule) -> None:
        self.hours.rule = rule
        self._zone, self._night_minutes = rule.zone, rule.night_minutes

    @property
    def too_few_counted(self) -> bool:
        """Whether too few of the last windows had a score that counts, whatever the state of the pipe."""
        return self._too_few

    @property
    def pipe(self) -> State:
        """The state of the pipe, whatever the sensor does: OK, WARNING or LEAK."""
        return worse(self.hours.state, self._night_state)

    @property
    def _night_state(self) -> State:
        return self.nights.state if self.rule.rise_db else State.OK

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
        return self.hours.on_share

    def update(self, seen: Observation) -> Transition | None:
        """Take one window; return a transition when the state changes."""
        before = self._night_state
        self.hours.limits.change_db, self.hours.limits.nights_known = self.nights.variation.change_db, self.nights.known
        reason, self._stated = self._stated, None
        if self.hours.update(seen):
            reason = self.hours.reason
        self.closed_night = self._follow_nights(seen)
        if self._night_state is not before:
            reason = self.nights.reason
        self._too_few = self._counts_too_little()
        shown, why = self._published_state(seen)
        if shown is self._shown:
            return None
        again = reason is None and shown is self._announced and shown is not State.OK
        ended = f"{self._shown} ended; {shown} as last heard" if again else f"{self._shown} ended"
        decided_on = self._decided_on(seen) if shown in (State.WARNING, State.LEAK) else None
        if decided_on is not None and reason is not None:
            decider = self.hours if self.pipe is self.hours.state else self.nights
            reason = alert_reason(decider.reason, shown, decided_on, self.nights, self.rule.span_s)
        change = Transition(self._shown, shown, why or reason or ended, self.on_fraction, again, decided_on)
        self._shown = shown
        if shown in (State.OK, State.WARNING, State.LEAK):
            self._announced = shown
        return change

    def _follow_nights(self, seen: Observation) -> Night | None:
        """Take the window for the night it belongs to; return that night when it is over."""
        local = local_time(seen.utc, self._zone)
        self.night_levels = self._night_log.update(local, seen, self._night_minutes)
        night = self.nights.update(local, seen, self.rule.threshold, self._night_minutes)
        if night is not None:
            self.hours.end_day()
            if self.night_levels is not None:
                self.night_levels = replace(self.night_levels, excess_db=night.excess_db, limit_db=night.limit_db)
        return night

    def pause(self) -> None:
        """Expect a sleep until the next listening hours."""
        self.hours.pause(noisy=self._too_few)

    def _decided_on(self, seen: Observation) -> DecidedOn:
        """Say what the present state of the pipe was decided on."""
        nights, excess = self.nights, seen.excess
        by, db, hz, limit_db = "score", None, None, None
        if self.pipe is not self.hours.state:
            night = next((night for night in reversed(nights.last) if night.risen), None)
            if night is not None:  # none: it scored as a leak in every night since installation
                by, db, hz, limit_db = "nights", night.excess_db, night.hz, night.limit_db
        elif excess is not None and self.rule.rise_db:
            by, db, hz, limit_db = "hours", excess.db, excess.hz, self.hours.limit_db
        return DecidedOn(
            by=by,
            on_share=self.on_fraction,
            excess_db=db,
            hz=hz,
            limit_db=limit_db,
            nights_known=nights.known,
            nights_risen=sum(night.risen for night in nights.last),
        )

    def _published_state(self, seen: Observation) -> tuple[State, str | None]:
        """Return the state to publish and the reason: SENSOR_FAULT replaces every state of the pipe, NOISY only OK."""
        if seen.fault is not None and not (seen.low_confidence and self.leak_suspected and self.hours.still_on):
            return State.SENSOR_FAULT, seen.fault
        if seen.score is None and self._shown is State.SENSOR_FAULT:  # only a good window ends a fault
            return State.SENSOR_FAULT, None
        if self._too_few and self.pipe is State.OK:
            counted = self.hours.counted_share or 0.0
            return State.NOISY, f"only {counted:.0%} of the last {self.rule.noisy_s / 60:g} min was judged"
        return self.pipe, None

    def _counts_too_little(self) -> bool:
        """Tell whether too few of the last windows count, with hysteresis."""
        counted = self.hours.counted_share
        return counted is not None and counted < min(1.0, self.rule.coverage + (0.2 if self._too_few else 0.0))

    def forget_excesses(self) -> None:
        """Ignore every excess so far: the background is learned again."""
        self.nights = Nights()
        self.hours.forget()

    def accept(self) -> None:
        """Learn that what was heard is no leak: a person has stated it."""
        suspected = self.leak_suspected
        self.hours.accept()
        self.nights.accept()
        self._stated = self.hours.reason if suspected else None

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values."""
        shown = {"shown": self._shown.value, "announced": self._announced.value, "too_few": self._too_few}
        nights = {"nights": self.nights.snapshot(), "night_log": self._night_log.snapshot()}
        return nights | shown | self.hours.snapshot()

    def restore(self, saved: Mapping[str, Any], time_s: float, gap_s: float) -> None:
        """Continue from a snapshot taken `gap_s` seconds before `time_s`. Raises ValueError when it is not one."""
        hours, nights, night_log = Hours(self.rule), Nights(), NightLog()
        try:
            hours.restore(saved, time_s - max(0.0, gap_s))
            shown = State(saved["shown"])
            announced = State(saved.get("announced", saved["heard"]))
            too_few = bool(saved.get("too_few", shown is State.NOISY))
            if "nights" in saved:
                nights.restore(saved["nights"])
            if "night_log" in saved:
                night_log.restore(saved["night_log"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"saved decision state is unusable: {error}") from None
        self.hours, self.nights, self._shown, self._announced = hours, nights, shown, announced
        self._too_few, self._night_log = too_few, night_log
