"""The pipeline: blocks → windows → measures and health → spectrogram → score → judgement.

The daemon, replay, calibration, the workstation's evaluation of whole days and the converter's comparison of alerts
all run this pipeline with its `Judge`, so what is measured is what is deployed. Pure: no I/O, no clock.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.background.background import Background
from leakear.edge.background.third_octaves import Bands, quiet_levels
from leakear.edge.decision.judge import NO_SCORE, NOT_JUDGED, Judge
from leakear.edge.decision.night_levels import NightLevels
from leakear.edge.decision.state_machine import Decision, DecisionRule, State, Transition
from leakear.edge.health.measures import measure
from leakear.edge.health.monitor import Health, HealthMonitor, HealthOptions
from leakear.edge.model.tflite import Model
from leakear.edge.spec import Decibels, SpectrogramSpec
from leakear.edge.spectrogram import IncrementalSpectrogram
from leakear.edge.spectrogram.short_spectra import short_powers
from leakear.edge.windows import Window, Windower, WindowOptions

__all__ = ["NOT_JUDGED", "NO_SCORE", "Pipeline", "Result", "Scorer"]


class Scorer(Protocol):
    """What turns a spectrogram, shape (rows, frames), dB, into P(leak)."""

    def score(self, spectrogram: Decibels) -> float:
        """Return P(leak), 0 to 1; any other value is a fault and never a score."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one window, of a lost window, or of one second of a sensor fault."""

    state: State
    transition: Transition | None
    start_utc: float
    """s since 1970"""
    end_utc: float
    """s since 1970"""
    window: Window | None = None
    """None: lost, or a sensor fault"""
    health: Health | None = None
    spectrogram: Decibels | None = None
    """shape (rows, frames), dB; None when not scored"""
    score: float | None = None
    """P(leak); None when not scored"""
    faults: tuple[str, ...] = ()
    """names of the faults that last: a fault of one window alone is not among them"""
    levels: Bands | None = None
    """third octaves of the window's quiet moments, dB; None when not scored"""
    end_monotonic: float = 0.0
    """end on the clock that never steps, s"""
    sensor_fault: str | None = None
    """name of the fault with which the sensor delivers nothing"""
    night: NightLevels | None = None
    """what was heard in the night that ended with this window"""

    @property
    def trusted(self) -> tuple[float | None, float | None]:
        """P(leak) and dBmin (dBFS) of a window without a fault, or that only clips; None for any other."""
        if self.health is None or not self.health.levels_hold:
            return None, None
        return self.score, self.health.l05


class Pipeline:
    """The stages of one node from sound to state."""

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
        self.judge = Judge(rule, spec, step_s=self.step_s, health=health)
        self.scored = 0
        """windows that have a score"""
        self.faulty = 0
        """windows that have none: their health did not allow it, or the network gave no number"""
        self._spectrogram = IncrementalSpectrogram(spec)
        self._unbroken = False  # whether the spectrogram holds the window before
        self._lost = 0

    @classmethod
    def of(cls, model: Model, rule: DecisionRule, window: WindowOptions, health: HealthOptions) -> "Pipeline":
        """Build the pipeline of a loaded model."""
        return cls(model, model.info.spec, rule, window, health)

    @property
    def decision(self) -> Decision:
        """The state machine of the judge."""
        return self.judge.decision

    @property
    def health(self) -> HealthMonitor:
        """The health monitor of the judge."""
        return self.judge.health

    @property
    def background(self) -> Background:
        """The background of the judge."""
        return self.judge.background

    @property
    def discarded(self) -> int:
        """Windows without a score because of a gap or a fault: produced = scored + discarded + dropped."""
        return self.windower.discarded + self.faulty

    def push(self, item: Block | SensorFault, now: float | None = None) -> Iterator[Result]:
        """Take what the source gave and yield a result for everything it completes.

        `now`: the monotonic clock, for a live source that may be late; None for recordings.
        """
        if isinstance(item, SensorFault):
            yield self._sensor_fault(item)
            return
        windows = self.windower.push(item, now)
        yield from self._losses(item)
        for window in windows:
            yield self._judged(window)

    def new_recording(self, start: int) -> None:
        """Expect another recording from sample `start` on: no window may contain sound of both."""
        self.windower.restart(start)

    def _judged(self, window: Window) -> Result:
        spec = self.spec
        start_utc, end_utc = window.start_utc, window.start_utc + spec.window_seconds
        end = window.start_monotonic + spec.window_seconds
        powers = short_powers(window.samples, spec)
        health = self.judge.check(measure(window.samples, powers, spec), start_utc)
        spectrogram = score = levels = None
        if health.audible:
            spectrogram = self._spectrogram.update(window.samples, window.step_samples if self._unbroken else None)
            score = self.model.score(spectrogram)
            levels = quiet_levels(powers, spec)
        self._unbroken = health.audible
        verdict = self.judge.window(health, time_s=end, utc=end_utc, score=score, levels=levels)
        self.scored += verdict.score is not None
        self.faulty += verdict.score is None
        return Result(
            state=verdict.state,
            transition=verdict.transition,
            start_utc=start_utc,
            end_utc=end_utc,
            window=window,
            health=health,
            spectrogram=spectrogram,
            score=verdict.score,
            faults=verdict.faults,
            levels=levels,
            end_monotonic=end,
            night=verdict.night,
        )

    def _losses(self, block: Block) -> Iterator[Result]:
        """Yield a result for each window that was lost before this block."""
        lost = self.windower.discarded + self.windower.dropped
        for _ in range(lost - self._lost):
            verdict = self.judge.lost(time_s=block.monotonic, utc=block.utc)
            start = block.utc - self.spec.window_seconds
            yield Result(
                verdict.state,
                verdict.transition,
                start,
                block.utc,
                faults=verdict.faults,
                end_monotonic=block.monotonic,
                night=verdict.night,
            )
        self._lost = lost

    def _sensor_fault(self, fault: SensorFault) -> Result:
        verdict = self.judge.sensor_fault(fault.name, time_s=fault.monotonic, utc=fault.utc)
        return Result(
            verdict.state,
            verdict.transition,
            fault.utc,
            fault.utc,
            faults=verdict.faults,
            end_monotonic=fault.monotonic,
            sensor_fault=fault.name,
            night=verdict.night,
        )

    def pause(self, time_s: float, utc: float, until: float) -> Result:
        """Expect a sleep from now (monotonic `time_s`, `utc`) `until` the next listening hours, s since 1970."""
        self.windower.pause()
        self._unbroken = False
        verdict = self.judge.pause(time_s=time_s, utc=utc, until=until)
        return Result(
            verdict.state,
            verdict.transition,
            utc,
            utc,
            faults=verdict.faults,
            end_monotonic=time_s,
            night=verdict.night,
        )

    def take_over(self, before: "Pipeline", time_s: float) -> None:
        """Continue where another pipeline stands: its judgement and its counters."""
        self.restore(before.snapshot(), time_s, 0)
        self.scored, self.faulty = before.scored, before.faulty
        old, new = before.windower, self.windower
        new.produced, new.discarded, new.dropped = old.produced, old.discarded, old.dropped
        self._lost = new.discarded + new.dropped

    def learn_anew(self) -> None:
        """Learn the background again: a person has stated that there is no leak in what is heard now."""
        self.judge.learn_anew()

    def accept_floor(self) -> None:
        """Accept the present noise floor: a person has checked the sensor."""
        self.judge.accept_floor()

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values."""
        return self.judge.snapshot()

    def restore(self, saved: Mapping[str, Any], time_s: float, gap_s: float) -> None:
        """Continue from a snapshot taken `gap_s` seconds before the monotonic time `time_s`.

        Raises ValueError, TypeError or KeyError.
        """
        self.judge.restore(saved, time_s, gap_s)
