"""Whether both networks raise the same alerts: simulated node-days through the daemon's own code, both at once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leakear.convert import runtimes
from leakear.convert.quantise import Codes, quantise
from leakear.convert.source import Source
from leakear.edge import bundle
from leakear.edge.model import Model
from leakear.edge.spectrogram import Decibels

if TYPE_CHECKING:
    from leakear.edge.decision import DecisionRule
    from leakear.train.observe import Heard

FIRST_SITE = 500_000
"""sites that neither training nor the published figures use"""
STEP_S = 10.0
"""from window to window: every window once"""
TOGETHER_S = 1800.0
"""alerts of both within this time are the same alert"""


def agreement(source: Source, file: bytes, days: int, hours: float = 24.0) -> float:
    """Return the share of LEAK alerts that float and converted network both raise; 1.0 where neither raises one.

    `file`: the converted model file. Needs leakear.train's simulator; a day takes minutes.
    """
    loaded = bundle.parse(file, "the converted model")
    with tempfile.TemporaryDirectory(prefix="leakear-") as folder:
        paths = Path(folder, "float.tflite"), Path(folder, "converted.tflite")
        paths[0].write_bytes(float_twin(source, loaded.info.raw, loaded.golden_inputs))
        paths[1].write_bytes(file)
        with ProcessPoolExecutor(min(days, os.cpu_count() or 1), mp_context=get_context("spawn")) as pool:
            pairs = list(pool.map(partial(day_alerts, *paths, hours=hours), range(days)))
    counted = [shared(*pair) for pair in pairs]
    matched, raised = sum(match for match, _ in counted), sum(total for _, total in counted)
    return 2 * matched / raised if raised else 1.0


def day_alerts(floating: Path, converted: Path, number: int, hours: float = 24.0) -> tuple[list[float], list[float]]:
    """Return when LEAK was said on one simulated day, POSIX seconds, by either network; every other day has a leak."""
    from leakear.edge.decision import DecisionRule, rule_from
    from leakear.edge.pipeline import Pipeline
    from leakear.edge.windows import WindowOptions
    from leakear.train.observe import listen
    from leakear.train.simulator.day import Day
    from leakear.train.simulator.site import Site

    both = _Both(Model.load(floating), Model.load(converted))
    day = Day(Site.draw(FIRST_SITE + number), number, leak=number % 2 == 0)
    pipeline = Pipeline(both, both.first.info.spec, DecisionRule(), WindowOptions(step_s=STEP_S))
    heard = listen(day.blocks(hours=(0.0, hours), step_s=STEP_S), pipeline)
    scores = heard.score.copy()
    scores[~np.isnan(scores)] = both.seconds
    rules = [rule_from(model.info.decision, {}) for model in (both.first, both.second)]
    return _leaks(heard, rules[0]), _leaks(replace(heard, score=scores), rules[1])


class _Both:
    """Scores with one network and notes what the other would have said: the day is made and heard only once."""

    def __init__(self, first: Model, second: Model) -> None:
        self.first, self.second = first, second
        self.seconds: list[float] = []

    def score(self, spectrogram: Decibels) -> float:
        """Return P(leak) of the first network."""
        self.seconds.append(self.second.score(spectrogram))
        return self.first.score(spectrogram)


def _leaks(heard: Heard, rule: DecisionRule) -> list[float]:
    from leakear.edge.decision import State
    from leakear.train.observe import decide

    return [change.utc for change in decide(heard, rule) if change.state is State.LEAK]


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


def shared(a: Sequence[float], b: Sequence[float]) -> tuple[int, int]:
    """Return how many alerts have a partner in the other list within half an hour, and how many there are in both."""
    left, matched = list(b), 0
    for time in a:
        partner = min(left, key=lambda other: abs(other - time), default=None)
        if partner is not None and abs(partner - time) <= TOGETHER_S:
            left.remove(partner)
            matched += 1
    return matched, len(a) + len(b)
