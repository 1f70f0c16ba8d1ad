"""Where a sample becomes an alert: blocks → windows → health → spectrogram → score, and what is usual → decision.

Pure: no I/O and no clock of its own. A microphone, a WAV replay and the workstation's evaluation of whole days run this
very code, so what is measured is what is deployed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.background.background import Rise, Usual
from leakear.edge.background.third_octaves import Bands, quiet_levels
from leakear.edge.decision.state_machine import Decision, DecisionRule, Observation, State, Transition
from leakear.edge.health.monitor import Health, HealthMonitor, HealthOptions
from leakear.edge.model.tflite import Model
from leakear.edge.spec import Decibels, SpectrogramSpec
from leakear.edge.spectrogram import IncrementalSpectrogram
from leakear.edge.windows import Window, Windower, WindowOptions

NO_SCORE = "no_score"
"""Fault: the network gave no number for a window."""
NOT_JUDGED = "not_judged"
"""Fault: too few of the last windows could be judged to say anything new, whatever is believed."""


class Scorer(Protocol):
    """What turns a spectrogram, shape (rows, frames), dB, into P(leak)."""

    def score(self, spectrogram: Decibels) -> float:
        """Return P(leak), 0 to 1; anything but a number is a fault and never a score."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one window, or of one second of deafness."""

    state: State
    transition: Transition | None
    start_utc: float
    """s since 1970"""
    end_utc: float
    """s since 1970"""
    window: Window | None = None
    """None: lost, or the sensor is deaf"""
    health: Health | None = None
    spectrogram: Decibels | None = None
    """shape (rows, frames), dB; None when not judged"""
    score: float | None = None
    """P(leak); None when not judged"""
    faults: tuple[str, ...] = ()
    """named faults that hold at this moment and are no accident of one window"""
    levels: Bands | None = None
    """third octaves of the window's quiet moments, dB; None when not judged"""

    @property
    def trusted(self) -> tuple[float | None, float | None]:
        """P(leak) and dBmin (dBFS) of a window whose quiet can be believed too; None for any other."""
        if self.health is None or not self.health.ok:
            return None, None
        return self.score, self.health.l05


class Pipeline:
    """One node's ear and judgement."""

    def __init__(
        self,
        model: Scorer,
        spec: SpectrogramSpec,
        rule: DecisionRule,
        window: WindowOptions | None = None,
        health: HealthOptions | None = None,
    ) -> None:
        options = window or WindowOptions()
        self.model = model
        self.spec = spec
        self.windower = Windower(spec, options.step_s, options.max_lag_s)
        self.step_s = self.windower.step_samples / spec.sample_rate
        rule.check_step(self.step_s)
        self.decision = Decision(rule)
        self.health = HealthMonitor(health or HealthOptions(), spec)
        self.usual = Usual(rule.span_s)
        self.scored = 0
        """windows that got a score"""
        self.faulty = 0
        """windows that got none: their health forbade it, or the network gave no number"""
        self._spectrogram = IncrementalSpectrogram(spec)
        self._unbroken = False
        self._lost = 0
        self._told: tuple[str, ...] = ()  # faults that are no accident
        self._faulty_since: float | None = None

    @classmethod
    def of(cls, model: Model, rule: DecisionRule, window: WindowOptions, health: HealthOptions) -> "Pipeline":
        """Build the pipeline of a loaded model."""
        return cls(model, model.info.spec, rule, window, health)

    @property
    def discarded(self) -> int:
        """Windows that a gap or a fault spoiled: produced = scored + discarded + dropped."""
        return self.windower.discarded + self.faulty

    def push(self, item: Block | SensorFault, now: float | None = None) -> Iterator[Result]:
        """Take what the source gave and yield a result for everything it completes.

        `now`: the monotonic clock, for a live source that may be late; None for recordings.
        """
        if isinstance(item, SensorFault):
            yield self._deaf(item)
            return
        windows = self.windower.push(item, now)
        yield from self._losses(item)
        for window in windows:
            yield self._judge(window)

    def new_recording(self, start: int) -> None:
        """Expect another recording from sample `start` on: no window may reach across the seam."""
        self.windower.restart(start)

    def _judge(self, window: Window) -> Result:
        health = self.health.check(window, usual=not self.decision.suspicious)
        spectrogram = score = fault = levels = rise = None
        end_s = self.spec.window_seconds
        start, end_utc, end = window.start_utc, window.start_utc + end_s, window.start_monotonic + end_s
        if health.audible:
            advance = window.step_samples if self._unbroken else None
            spectrogram = self._spectrogram.update(window.samples, advance)
            score, fault = self._score(spectrogram, end, end_utc)
            levels = quiet_levels(window.samples, self.spec)
            rise = self._rise(end, levels) if health.ok else None
        self._unbroken = health.audible
        self.scored += score is not None
        self.faulty += score is None
        faults = (fault.name,) if fault else health.faults
        why = ", ".join(faults) if self._lasts(faults, end) else None
        doubt = score is not None and not health.ok
        transition = self.decision.update(Observation(end, end_utc, self.step_s, score, health.l05, why, rise, doubt))
        state = self.decision.state
        return Result(state, transition, start, end_utc, window, health, spectrogram, score, self._faults(), levels)

    def _lasts(self, faults: tuple[str, ...], end: float) -> bool:
        """Tell whether a fault outlasts one window: a knock clips one, and is not worth an event or an alert."""
        if not faults:
            self._faulty_since, self._told = None, ()
            return False
        if self._faulty_since is None:
            self._faulty_since = end
        if end - self._faulty_since < self.spec.window_seconds - 1e-3:
            return False
        self._told = faults
        return True

    def _faults(self) -> tuple[str, ...]:
        """Return what is worth telling; nothing that was lost ends it."""
        return (*self._told, NOT_JUDGED) if self.decision.blind else self._told

    def _rise(self, monotonic: float, levels: Bands) -> Rise | None:
        """Hold a window against what is usual here; nothing becomes usual while a leak is suspected."""
        self.usual.span_s = self.decision.rule.span_s  # a reload may have changed it
        return self.usual.update(monotonic, self.step_s, levels, learn=not self.decision.suspicious)

    def _score(self, spectrogram: Decibels, monotonic: float, utc: float) -> tuple[float | None, SensorFault | None]:
        """Let the network judge; a node whose network gives no number is deaf, and says so."""
        score = self.model.score(spectrogram)
        if 0 <= score <= 1:
            return score, None
        message = f"the model gave {score} for a window: it is damaged, or the runtime is; install another"
        return None, SensorFault(NO_SCORE, message, monotonic, utc)

    def _losses(self, block: Block) -> Iterator[Result]:
        """Tell the decision of windows that nobody will judge."""
        lost = self.windower.discarded + self.windower.dropped
        for _ in range(lost - self._lost):
            transition = self.decision.update(Observation(block.monotonic, block.utc, self.step_s, None))
            start = block.utc - self.spec.window_seconds
            yield Result(self.decision.state, transition, start, block.utc, faults=self._faults())
        self._lost = lost

    def _deaf(self, fault: SensorFault) -> Result:
        transition = self.decision.update(Observation(fault.monotonic, fault.utc, 0.0, None, None, fault.name))
        self._told, self._faulty_since = (fault.name,), None
        return Result(self.decision.state, transition, fault.utc, fault.utc, faults=self._faults())

    def take_over(self, before: "Pipeline", time_s: float) -> None:
        """Go on where another pipeline stands: its decision, its health and its counters."""
        self.restore(before.snapshot(), time_s, 0)
        self.scored, self.faulty = before.scored, before.faulty
        old, new = before.windower, self.windower
        new.produced, new.discarded, new.dropped = old.produced, old.discarded, old.dropped
        self._lost = new.discarded + new.dropped

    def learn_anew(self) -> None:
        """Learn anew what is usual: a person has looked, and calls what is heard now no leak."""
        self.usual.forget()
        self.decision.forget_rises()

    def accept_floor(self) -> None:
        """Call the present quiet usual: a person has looked at the sensor."""
        self.health.forget()
        self.learn_anew()

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON."""
        return {
            "decision": self.decision.snapshot(),
            "health": self.health.snapshot(),
            "usual": self.usual.snapshot(),
            "told": list(self._told),
        }

    def restore(self, saved: Mapping[str, Any], time_s: float, gap_s: float) -> None:
        """Go on from a snapshot taken `gap_s` seconds before the monotonic time `time_s`. Raises ValueError."""
        self._told = tuple(map(str, saved.get("told", ())))
        if "decision" in saved:
            self.decision.restore(saved["decision"], time_s, gap_s)
        if "health" in saved:
            self.health.restore(saved["health"])
        if "usual" in saved and self.health.accepts(saved.get("health", {})):
            self.usual.restore(saved["usual"])
