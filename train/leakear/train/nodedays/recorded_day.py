"""Recorded days: everything that the `Judge` needs of each window, so that another rule is applied in seconds.

The pipeline (windows, health, spectrogram, converted network) runs once over the sound and its results are recorded,
a row for each window, lost window, second of a sensor fault, and restart. To decide under another rule, the rows go
through the daemon's own `Judge`: the transitions are those of a node that heard the same sound under that rule, one by
one (`tests/train/nodedays/test_daemon_equals_evaluation.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.background.third_octaves import CENTRES_HZ
from leakear.edge.decision.judge import Judge, Verdict
from leakear.edge.decision.state_machine import DecisionRule, State
from leakear.edge.health.measures import Measures
from leakear.edge.health.monitor import Health, HealthOptions
from leakear.edge.pipeline import Pipeline, Result
from leakear.edge.schedule import ScheduleOptions
from leakear.edge.spec import SpectrogramSpec

Series = npt.NDArray[np.float64]
"""One value a row, shape (n,)."""
MEASURES = tuple(declared.name for declared in fields(Measures))
"""Columns of `RecordedDay.measures`."""
_NO_MEASURES = (np.nan,) * len(MEASURES)
_ABOUT = {"step_s", "spec", "health", "listen"}
"""Fields that are no columns."""
_NO_LEVELS = np.full(len(CENTRES_HZ), np.nan, np.float32)


class Row(IntEnum):
    """Kind of a row."""

    SCORED = 0
    """a window that the network scored"""
    UNSCORED = 1
    """a window with a fault that does not allow a score"""
    LOST = 2
    """a window that was dropped or has a gap"""
    SENSOR_FAULT = 3
    """a second in which the sensor delivered nothing"""
    RESTART = 4
    """the node saved its state, stopped, and started again"""


@dataclass(frozen=True, kw_only=True)
class RecordedDay:
    """A stretch of time as a node heard it, a row for each window, lost window, sensor fault and restart."""

    kind: npt.NDArray[np.uint8]
    """Values of `Row`, shape (n,)."""
    monotonic: Series
    """End of the window on the clock that never steps, s."""
    start_utc: Series
    """Beginning of the window, s since 1970."""
    end_utc: Series
    """End of the window, s since 1970."""
    score: Series
    """P(leak); NaN where there is none."""
    measures: Series
    """Measures of the window, shape (n, 10), columns as in `MEASURES`; NaN where there is no window."""
    levels: npt.NDArray[np.float32]
    """Third octaves of the quiet moments, shape (n, 25), dB; NaN where there is no score."""
    fault: npt.NDArray[np.str_]
    """Name of the sensor fault, shape (n,); empty for other rows."""
    gap_s: Series
    """Seconds from the saved state to the restart; 0 for other rows."""
    step_s: float
    """Seconds from window to window."""
    spec: SpectrogramSpec
    """Spectrogram of the model that scored."""
    health: HealthOptions = field(default_factory=HealthOptions)
    """Limits of the faults."""
    listen: tuple[str, ...] = ()
    """Listening hours of the node, as in [schedule]; outside of them its rows are skipped. Empty: all are judged."""

    @property
    def dbmin(self) -> Series:
        """Quietest level (dBmin, not RMS) of each window, shape (n,), dBFS; NaN where there is no window."""
        return self.measures[:, MEASURES.index("l05")]

    def save(self, path: Path) -> None:
        """Write a compressed NumPy archive."""
        about = {"step_s": self.step_s, "spec": self.spec.to_json(), "health": asdict(self.health)}
        np.savez_compressed(path, about=np.array(json.dumps(about)), **self._columns())

    @classmethod
    def load(cls, path: Path) -> RecordedDay:
        """Inverse of `save`."""
        with np.load(path) as saved:
            about = json.loads(str(saved["about"]))
            columns = {name: saved[name] for name in saved.files if name != "about"}
        about["spec"], about["health"] = SpectrogramSpec.from_json(about["spec"]), HealthOptions(**about["health"])
        return cls(**columns, **about)

    def between(self, start_utc: float, end_utc: float) -> RecordedDay:
        """Return the rows that ended between two times."""
        rows = np.flatnonzero((self.end_utc > start_utc) & (self.end_utc <= end_utc))
        return replace(self, **{name: column[rows] for name, column in self._columns().items()})

    def judge(self, rule: DecisionRule) -> Judge:
        """Return the judge of a node that starts with this recording; the hours of simulated days are those of UTC."""
        rule = rule if rule.time_zone else replace(rule, time_zone="UTC")
        return Judge(rule, self.spec, step_s=self.step_s, health=self.health)

    def _columns(self) -> dict[str, Any]:
        names = [declared.name for declared in fields(self) if declared.name not in _ABOUT]
        return {name: getattr(self, name) for name in names}


class Recorder:
    """Records the results of a pipeline."""

    def __init__(self, step_s: float, spec: SpectrogramSpec, health: HealthOptions | None = None) -> None:
        self._about: dict[str, Any] = {"step_s": step_s, "spec": spec, "health": health or HealthOptions()}
        self._rows: list[tuple[Any, ...]] = []

    def add(self, result: Result) -> None:
        """Record a result."""
        score = np.nan if result.score is None else result.score
        measures = _NO_MEASURES if result.health is None else tuple(getattr(result.health, m) for m in MEASURES)
        levels = _NO_LEVELS if result.levels is None else result.levels
        times = (result.end_monotonic, result.start_utc, result.end_utc)
        self._rows.append((_kind(result), *times, score, measures, levels, result.sensor_fault or "", 0.0))

    def restart(self, time_s: float, utc: float, gap_s: float) -> None:
        """Record that the node restarted at the monotonic `time_s`, `gap_s` seconds after it saved its state."""
        self._rows.append((Row.RESTART, time_s, utc, utc, np.nan, _NO_MEASURES, _NO_LEVELS, "", gap_s))

    def recorded(self) -> RecordedDay:
        """Return everything so far."""
        columns = zip(*self._rows, strict=True) if self._rows else ((),) * 9
        kind, monotonic, start, end, score, measures, levels, fault, gap = columns
        return RecordedDay(
            kind=np.array(kind, np.uint8),
            monotonic=np.array(monotonic, np.float64),
            start_utc=np.array(start, np.float64),
            end_utc=np.array(end, np.float64),
            score=np.array(score, np.float64),
            measures=np.array(measures, np.float64).reshape(-1, len(MEASURES)),
            levels=np.array(levels, np.float32).reshape(-1, len(CENTRES_HZ)),
            fault=np.array(fault, np.str_),
            gap_s=np.array(gap, np.float64),
            **self._about,
        )


def _kind(result: Result) -> Row:
    if result.sensor_fault is not None:
        return Row.SENSOR_FAULT
    if result.health is None:
        return Row.LOST
    return Row.UNSCORED if result.levels is None else Row.SCORED


def record(items: Iterable[Block | SensorFault], pipeline: Pipeline) -> RecordedDay:
    """Put a stream through a pipeline and record the results."""
    recorder = Recorder(pipeline.step_s, pipeline.spec, pipeline.health.options)
    for item in items:
        for result in pipeline.push(item):
            recorder.add(result)
    return recorder.recorded()


@dataclass(frozen=True)
class JudgedRow:
    """What the judge decided about a row."""

    row: int
    """Number of the row."""
    health: Health | None
    """None where there is no window."""
    verdict: Verdict
    judge: Judge
    """Judge of the row; its rule may be changed before the next row."""

    @property
    def trusted(self) -> tuple[float | None, float | None]:
        """P(leak) and dBmin (dBFS) of a window that `Result.trusted` trusts; None for any other."""
        if self.health is None or not self.health.levels_hold:
            return None, None
        return self.verdict.score, self.health.l05


def judged(recorded: RecordedDay, judge: Judge) -> Iterator[JudgedRow]:
    """Feed the rows to a judge, as the daemon's pipeline does.

    At a restart a new judge continues from the saved state, as JSON. A window whose health allows a score here but did
    not when it was recorded (the noise floor was learned under another rule) counts as lost.
    """
    hours, awake = ScheduleOptions(listen=recorded.listen).schedule(judge.rule.zone), True
    for row, kind in enumerate(recorded.kind.tolist()):
        time_s, utc = float(recorded.monotonic[row]), float(recorded.end_utc[row])
        until = hours.asleep_until(utc)
        if until is not None:  # as the daemon does
            if awake:
                yield JudgedRow(row, None, judge.pause(time_s=time_s, utc=utc, until=until), judge)
            awake = False
            continue
        awake = True
        if kind == Row.RESTART:
            saved, judge = judge.snapshot(), recorded.judge(judge.rule)
            judge.restore(json.loads(json.dumps(saved)), time_s, float(recorded.gap_s[row]))
        elif kind == Row.LOST:
            yield JudgedRow(row, None, judge.lost(time_s=time_s, utc=utc), judge)
        elif kind == Row.SENSOR_FAULT:
            yield JudgedRow(row, None, judge.sensor_fault(str(recorded.fault[row]), time_s=time_s, utc=utc), judge)
        else:
            yield JudgedRow(row, *_judged_window(recorded, row, judge), judge)


def _judged_window(recorded: RecordedDay, row: int, judge: Judge) -> tuple[Health, Verdict]:
    finite, *numbers = recorded.measures[row].tolist()
    health = judge.check(Measures(bool(finite), *numbers), float(recorded.start_utc[row]))
    time_s, utc = float(recorded.monotonic[row]), float(recorded.end_utc[row])
    if health.audible and recorded.kind[row] == Row.UNSCORED:
        return health, judge.lost(time_s=time_s, utc=utc)
    score = float(recorded.score[row])
    return health, judge.window(health, time_s=time_s, utc=utc, score=score, levels=recorded.levels[row])


@dataclass(frozen=True)
class Change:
    """A change of the state of the pipe, as published. A fault that ends in the same state is no change."""

    utc: float
    """s since 1970."""
    state: State
    """OK, WARNING or LEAK."""


def decide(recorded: RecordedDay, rule: DecisionRule) -> list[Change]:
    """Judge a recorded day under a rule; return the changes between OK, WARNING and LEAK."""
    changes, pipe = [], State.OK
    for seen in judged(recorded, recorded.judge(rule)):
        transition = seen.verdict.transition
        if transition is None or transition.target in {State.SENSOR_FAULT, State.NOISY}:
            continue
        if transition.target is not pipe:
            pipe = transition.target
            changes.append(Change(float(recorded.end_utc[seen.row]), pipe))
    return changes
