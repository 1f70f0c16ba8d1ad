"""A real pipeline whose windows have scripted measures, scores and third octaves: days in seconds, without sound."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import numpy as np

from leakear.edge import pipeline as module
from leakear.edge.audio.blocks import Block
from leakear.edge.background.third_octaves import CENTRES_HZ, Bands
from leakear.edge.decision.state_machine import DecisionRule
from leakear.edge.health.measures import BROKEN, Measures
from leakear.edge.pipeline import Pipeline
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.windows import WindowOptions
from tests.support.recorded import HEALTHY

RATE = 8
"""Samples a second: what they are does not matter."""
SPEC = SpectrogramSpec(sample_rate=RATE, n_fft=8, hop_length=8)


@dataclass(frozen=True)
class Heard:
    """What the next windows hold."""

    score: float
    level_dbfs: float = -40.0
    """dBmin"""
    levels: Bands | None = None
    """third octaves, which vary by 0.3 dB from window to window; None: all at the level"""
    broken: bool = False
    """values that are no numbers"""

    @property
    def measures(self) -> Measures:
        return BROKEN if self.broken else replace(HEALTHY, l05=self.level_dbfs, l95=self.level_dbfs + 10)


class Script:
    """Stands in for everything that looks at samples."""

    def __init__(self) -> None:
        self.now = Heard(0.1)
        self._rng = np.random.default_rng(8)

    def score(self, _: Any) -> float:
        return self.now.score

    def pipeline(self, rule: DecisionRule, step_s: float) -> Pipeline:
        return Pipeline(self, SPEC, rule, WindowOptions(step_s=step_s))

    def _quiet_levels(self, *_: Any) -> Bands:
        levels = self.now.level_dbfs if self.now.levels is None else self.now.levels
        return (levels + self._rng.normal(0, 0.3, len(CENTRES_HZ))).astype(np.float32)

    @contextmanager
    def playing(self) -> Iterator[None]:
        """Let pipelines see the script instead of samples."""
        with (
            patch.object(module, "short_powers", lambda *_: None),
            patch.object(module, "measure", lambda *_: self.now.measures),
            patch.object(module, "quiet_levels", self._quiet_levels),
        ):
            yield


def silence(start: int, seconds: float, utc: float, monotonic: float) -> Block:
    """A block whose samples nobody looks at."""
    return Block(start, np.zeros(round(seconds * RATE), np.float32), utc, monotonic)
