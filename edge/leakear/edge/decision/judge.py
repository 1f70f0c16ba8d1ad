"""The judge: from the measures, score and third-octave levels of one window after the other to the state of the node.

There is one judge in the project. The daemon, replay and the converter run it inside `Pipeline`; the evaluation of
recorded days (`leakear.train.nodedays.recorded_day`) feeds it the recorded rows. So the same rows under the same rule
give the same transitions everywhere, one by one. Pure: no clock, no I/O, no samples.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leakear.edge.background.background import Background, Excess
from leakear.edge.background.third_octaves import Bands
from leakear.edge.decision.learning import Learning, learning
from leakear.edge.decision.night_levels import NightLevels
from leakear.edge.decision.observation import CLIPPING
from leakear.edge.decision.state_machine import Decision, DecisionRule, Observation, State, Transition
from leakear.edge.health.measures import Measures
from leakear.edge.health.monitor import Health, HealthMonitor, HealthOptions
from leakear.edge.spec import SpectrogramSpec

CLIPPING_S = 600.0
"""Seconds of which half must clip before clipping is a lasting fault: a building site does not silence a node."""
NO_SCORE = "no_score"
"""Fault: the network gave no number for a window."""
NOT_JUDGED = "not_judged"
"""Fault: too few of the last windows have a score that counts."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one window, of a lost window, or of one second of a sensor fault."""

    state: State
    transition: Transition | None
    faults: tuple[str, ...]
    """names of the faults that last longer than one window (a knock on the pipe clips only one)"""
    score: float | None = None
    """P(leak); None when the window has none that is valid"""
    night: NightLevels | None = None
    """what was heard in the night that ended with this window"""


class Judge:
    """The judgement of one node: health, background, lasting faults and the state machine."""

    def __init__(
        self, rule: DecisionRule, spec: SpectrogramSpec, *, step_s: float, health: HealthOptions | None = None
    ) -> None:
        self.step_s = step_s
        """seconds between the starts of two windows"""
        self.decision = Decision(rule)
        self.health = HealthMonitor(health or HealthOptions(), spec)
        self.background = Background(rule.span_s)
        self._window_s = spec.window_seconds
        self._newest_s = 0.0  # monotonic s of the last observation
        self._lasting: tuple[str, ...] = ()
        self._faulty_since: float | None = None
        self._clipped: deque[tuple[float, bool]] = deque()  # (time s, whether the window clips), of CLIPPING_S

    @property
    def rule(self) -> DecisionRule:
        """The rule; another one may be set at any time and holds from the next window on."""
        return self.decision.rule

    @rule.setter
    def rule(self, rule: DecisionRule) -> None:
        self.decision.rule = rule

    def check(self, measures: Measures, utc: float) -> Health:
        """Find the faults of a window and update the noise floor. Only an audible window is scored afterwards.

        `utc`: beginning of the window, s since 1970. Call `window` next, or `lost` when no score can be had.
        """
        return self.health.check(measures, utc, leak_suspected=self.decision.leak_suspected)

    def window(
        self, health: Health, *, time_s: float, utc: float, score: float | None, levels: Bands | None
    ) -> Verdict:
        """Judge a window after its `check`.

        `time_s` (monotonic) and `utc` are its end. `score` and `levels` (third octaves, shape (25,), dB) are needed
        when `health.audible`, and ignored otherwise. A score outside 0 to 1, or NaN, is the fault `no_score`.
        """
        valid, excess, faults = None, None, health.faults
        if health.audible:
            assert levels is not None
            valid = score if score is not None and 0 <= score <= 1 else None
            faults = health.faults if valid is not None else (NO_SCORE,)
            excess = self._excess(time_s, levels) if health.levels_hold else None
        lasts = self._lasts(faults, time_s)
        observation = Observation(
            time_s=time_s,
            utc=utc,
            step_s=self.step_s,
            score=valid,
            dbmin=health.l05,
            fault=", ".join(faults) if lasts else None,
            excess=excess,
            over_accepted=self.background.steady_excess() if self.waits and health.levels_hold else None,
            quiet=self.background.now if health.levels_hold else None,
            entry=self.background.entries.count,
            clips=CLIPPING in health.faults,
            apart_db=self.background.apart_db if health.levels_hold else None,
            low_confidence=valid is not None and bool(faults) and (lasts or faults != (CLIPPING,)),
        )
        return self._verdict(observation)

    def lost(self, *, time_s: float, utc: float) -> Verdict:
        """Take note of a window that was dropped or has a gap; `time_s` (monotonic) and `utc` are its end."""
        return self._verdict(Observation(time_s=time_s, utc=utc, step_s=self.step_s, score=None))

    def sensor_fault(self, name: str, *, time_s: float, utc: float) -> Verdict:
        """Take note of a sensor that delivers nothing; call about once a second while that lasts."""
        self._lasting, self._faulty_since = (name,), None
        return self._verdict(Observation(time_s=time_s, utc=utc, step_s=0.0, score=None, fault=name))

    def pause(self, *, time_s: float, utc: float, until: float) -> Verdict:
        """Expect a sleep from now (monotonic `time_s`, `utc`) `until` the next listening hours, s since 1970.

        A night that is over by then ends now, so that what it tells is not told a day late.
        """
        verdict = self._verdict(Observation(time_s=time_s, utc=max(utc, until), step_s=0.0, score=None))
        self.decision.pause()
        self.background.pause()
        return verdict

    def _verdict(self, observation: Observation) -> Verdict:
        self._newest_s = observation.time_s
        transition = self.decision.update(observation)
        night = self.decision.closed_night
        if night is not None and night.risen:  # the leak may have begun days before it was noticed
            self.background.hold_back(night.band, night.level_db, night.excess_db)
        faults = (*self._lasting, NOT_JUDGED) if self.decision.too_few_counted else self._lasting
        return Verdict(self.decision.state, transition, faults, observation.score, self.decision.night_levels)

    def _lasts(self, faults: tuple[str, ...], end: float) -> bool:
        """Update the lasting faults; return whether there is one. One window makes none, knocks that clip make none."""
        if not set(faults) - {CLIPPING}:
            self._faulty_since = None
        elif self._faulty_since is None:
            self._faulty_since = end
        lasts = self._faulty_since is not None and end - self._faulty_since >= self._window_s - 1e-3
        steady = self._clips_steadily(CLIPPING in faults, end)
        lasting = tuple(name for name in faults if (steady if name == CLIPPING else lasts))
        if lasting or not set(faults) - {CLIPPING}:
            self._lasting = lasting
        return bool(lasting)

    def _clips_steadily(self, clips: bool, end: float) -> bool:
        """Tell whether most windows of the last CLIPPING_S clip."""
        self._clipped.append((end, clips))
        while self._clipped[0][0] <= end - CLIPPING_S:
            self._clipped.popleft()
        windows = len(self._clipped)
        known = end - self._clipped[0][0] + self.step_s >= 0.9 * CLIPPING_S
        if not known:  # after a start, what was saved holds
            return clips and CLIPPING in self._lasting
        return clips and sum(clipped for _, clipped in self._clipped) >= 0.5 * windows

    def _excess(self, time_s: float, levels: Bands) -> Excess | None:
        self.background.span_s = self.rule.span_s
        entry = self.background.entries.count
        excess = self.background.update(time_s, self.step_s, levels)
        if self.background.entries.count != entry:
            self.decision.hours.limits.compare_again(self.background.excess_today_db)
        return excess

    @property
    def learning(self) -> Learning:
        """What has been learnt of this place, and what the node may say with it."""
        return learning(
            self.rule,
            background_ready=self.background.ready,
            nights_known=self.decision.nights.known,
            limit_db=self.decision.hours.limit_db,
        )

    @property
    def waits(self) -> bool:
        """Whether, until the background is known, only a sound far above what a person called no leak is an alert."""
        return self.decision.hours.accepted and not self.background.ready

    @property
    def suspects(self) -> bool:
        """Whether `accept` would change anything: a leak is suspected, or a new sound is held back."""
        return self.decision.leak_suspected or bool(self.background.entries.held)

    def accept(self) -> None:
        """Take everything heard so far for the background: a person has stated that it is no leak."""
        self.background.accept()
        self.decision.accept()

    def learn_anew(self) -> None:
        """Learn the background again: the sensor was moved, or the place has changed."""
        self.background.forget()
        self.decision.forget_excesses()

    def accept_floor(self) -> None:
        """Accept the present noise floor: a person has checked the sensor."""
        self.health.forget()
        self.learn_anew()

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values, in the order of how seldom they change."""
        return {
            "usual": self.background.snapshot(),  # keys of version 0.1: usual = background, told = lasting faults
            "health": self.health.snapshot(),
            "decision": self.decision.snapshot(),
            "told": list(self._lasting),
            "lately": self.background.lately(self._newest_s),
        } | ({"not_a_leak": self.rule.not_a_leak} if self.rule.not_a_leak else {})

    def restore(self, saved: Mapping[str, Any], time_s: float, gap_s: float) -> None:
        """Continue from a snapshot taken `gap_s` seconds before the monotonic time `time_s`.

        Parts that are missing in `saved` stay as they are. Raises ValueError, TypeError or KeyError.
        """
        self._newest_s = time_s - max(0.0, gap_s)
        self._lasting = tuple(map(str, saved.get("told", ())))
        self._faulty_since = -math.inf if set(self._lasting) - {CLIPPING} else None
        if "decision" in saved:
            self.decision.restore(saved["decision"], time_s, gap_s)
        if "health" in saved:
            self.health.restore(saved["health"])
        if "usual" in saved and self.health.accepts(saved.get("health", {})):
            self.background.restore(saved["usual"])
            if saved.get("lately") is not None:
                self.background.go_on(saved["lately"], self._newest_s)
        if saved.get("not_a_leak", "") != self.rule.not_a_leak:
            self.accept()
