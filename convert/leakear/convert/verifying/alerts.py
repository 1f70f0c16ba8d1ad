"""Whether both networks raise the same alerts: simulated node-days through the daemon's pipeline and judge.

The pipeline runs once and both networks score its spectrograms; the recorded rows are judged once for each network.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from leakear.convert.quantising.quantise import Codes, quantise
from leakear.convert.source import Source
from leakear.convert.verifying import runtimes
from leakear.edge.model import bundle
from leakear.edge.model.tflite import Model
from leakear.edge.spec import Decibels

if TYPE_CHECKING:
    from leakear.edge.decision.state_machine import DecisionRule
    from leakear.train.nodedays.recorded_day import RecordedDay

FIRST_SITE = 800_000
"""sites that neither training, tuning nor the published figures use"""
TOGETHER_S = 1800.0
"""alerts of both within this time are the same alert"""


@dataclass(frozen=True)
class Days:
    """Which simulated days."""

    count: int
    """every other one holds a leak"""
    hours: float = 24.0
    """of each"""
    step_s: float = 10.0
    """seconds from window to window; 10: every window"""


@dataclass(frozen=True)
class Alerts:
    """The alerts of both networks over some days. A node in its first night says WARNING: it is an alert here."""

    floating: int
    """alerts of the float network"""
    converted: int
    together: int
    """alerts that both raised"""
    false_floating: int = 0
    """alerts of the float network on days without a leak"""
    false_converted: int = 0

    @property
    def agreement(self) -> float | None:
        """Share of the alerts that both raise; None where neither raised one."""
        raised = self.floating + self.converted
        return 2 * self.together / raised if raised else None

    def __add__(self, other: Alerts) -> Alerts:
        return Alerts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def count(floating: Sequence[float], converted: Sequence[float], *, leak: bool) -> Alerts:
    """Count the alerts of one day, given their times (s); without a leak, all of them are false."""
    first, second = len(floating), len(converted)
    return Alerts(first, second, shared(floating, converted), *((0, 0) if leak else (first, second)))


def compare(source: Source, file: bytes, days: Days) -> Alerts:
    """Count the alerts of float and converted network. `file`: the converted model file. A day takes minutes."""
    loaded = bundle.parse(file, "the converted model")
    with tempfile.TemporaryDirectory(prefix="leakear-") as folder:
        paths = Path(folder, "float.tflite"), Path(folder, "converted.tflite")
        paths[0].write_bytes(float_twin(source, loaded.info.raw, loaded.golden_inputs))
        paths[1].write_bytes(file)
        return over_days(*paths, days)


def over_days(floating: Path, converted: Path, days: Days) -> Alerts:
    """Count the alerts of two model files, the days in processes of their own."""
    from leakear.train.work.tasks import unordered

    total = Alerts(0, 0, 0)
    work = partial(day_alerts, floating, converted, days)
    heard = unordered(work, range(days.count), os.cpu_count() or 1)
    for done, (day, times) in enumerate(tqdm(heard, "days", days.count, unit="day", disable=None), 1):
        alerts = count(*times, leak=has_leak(day))
        counts = f"day {day}: {alerts.floating} alerts by float, {alerts.converted} by the converted one"
        tqdm.write(f"  {done} of {days.count} days, {counts}, {alerts.together} together", file=sys.stderr)
        total += alerts
    return total


def day_alerts(floating: Path, converted: Path, days: Days, number: int) -> tuple[list[float], list[float]]:
    """Return the times of the alerts of each network on one simulated day, POSIX seconds."""
    from leakear.edge.audio.resample import resampled
    from leakear.edge.decision.state_machine import DecisionRule, rule_from
    from leakear.edge.pipeline import Pipeline
    from leakear.edge.windows import WindowOptions
    from leakear.train.nodedays.recorded_day import Row, record
    from leakear.train.simulator.day import Day
    from leakear.train.simulator.site import Site
    from leakear.train.simulator.units import RATE

    both = _Both(Model.load(floating), Model.load(converted))
    day = Day(Site.draw(FIRST_SITE + number), number, leak=has_leak(number))
    spec = both.first.info.spec
    pipeline = Pipeline(both, spec, DecisionRule(), WindowOptions(step_s=days.step_s))
    sound = resampled(day.blocks(hours=(0.0, days.hours), step_s=days.step_s), RATE, spec.sample_rate)
    recorded = record(sound, pipeline)
    scores = recorded.score.copy()
    scores[recorded.kind == Row.SCORED] = both.seconds
    rules = [rule_from(model.info.decision, {}) for model in (both.first, both.second)]
    return _alerts(recorded, rules[0]), _alerts(replace(recorded, score=scores), rules[1])


def has_leak(number: int) -> bool:
    """Tell whether the simulated day of a number holds a leak: every other one does."""
    return number % 2 == 0


class _Both:
    """Scores with one network and keeps the scores of the other, so that the day is simulated only once."""

    def __init__(self, first: Model, second: Model) -> None:
        self.first, self.second = first, second
        self.seconds: list[float] = []

    def score(self, spectrogram: Decibels) -> float:
        """Return P(leak) of the first network."""
        self.seconds.append(self.second.score(spectrogram))
        return self.first.score(spectrogram)


def _alerts(recorded: RecordedDay, rule: DecisionRule) -> list[float]:
    """Return when each suspicion began: a change to WARNING or LEAK from another state, POSIX seconds."""
    from leakear.edge.decision.state_machine import State
    from leakear.train.nodedays.recorded_day import decide

    suspected, begun, before = (State.WARNING, State.LEAK), [], State.OK
    for change in decide(recorded, rule):
        if change.state in suspected and before not in suspected:
            begun.append(change.utc)
        before = change.state
    return begun


def float_twin(source: Source, info: Mapping[str, Any], golden: Codes) -> bytes:
    """Return a model file of the float network with its own threshold, for the very code that a node runs."""
    flatbuffer = quantise(source.network, "float32")
    logits = runtimes.require(runtimes.score(runtimes.known()[0], flatbuffer, golden))
    described = {
        **info,
        "decision": {**info["decision"], "threshold": source.info.threshold},
        "golden": {"tolerance": float(np.ptp(logits)) * 0.02 + 1e-3},
    }
    return bundle.assemble(flatbuffer, described, golden, logits.astype(np.float32))


def shared(a: Sequence[float], b: Sequence[float]) -> int:
    """Return how many alerts have a partner in the other list within half an hour."""
    left, matched = list(b), 0
    for time in a:
        partner = min(left, key=lambda other: abs(other - time), default=None)
        if partner is not None and abs(partner - time) <= TOGETHER_S:
            left.remove(partner)
            matched += 1
    return matched
