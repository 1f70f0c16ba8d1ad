"""A stream of sound as the daemon's own pipeline hears it, written down window by window.

The pipeline (windows, health, spectrogram, converted network) runs once; any decision rule can then be tried on what
it heard, through the daemon's own `Decision`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leakear.edge.audio.blocks import Block
from leakear.edge.background.background import Usual
from leakear.edge.background.third_octaves import CENTRES_HZ
from leakear.edge.decision.state_machine import Decision, DecisionRule, Observation, State
from leakear.edge.pipeline import Pipeline

Series = npt.NDArray[np.float64]
"""One value a window, shape (n,)."""


@dataclass(frozen=True)
class Heard:
    """What a node made of a stretch of time, one entry a window."""

    end_utc: Series
    """POSIX seconds at which the window ended."""
    score: Series
    """P(leak); NaN where nobody could judge."""
    level_dbfs: Series
    """dBmin; NaN where unknown."""
    faulty: npt.NDArray[np.bool_]
    """Whether the window's health forbade a score."""
    step_s: float
    """Seconds from window to window."""
    levels: npt.NDArray[np.float32]
    """Third octaves of the quiet moments, shape (n, 25), dB; NaN where nobody could judge."""

    def observations(self) -> Iterator[Observation]:
        """Yield what the rule sees of each window."""
        rows = zip(self.end_utc.tolist(), self.score.tolist(), self.level_dbfs.tolist(), self.faulty, strict=True)
        for end, score, level, faulty in rows:
            judged, measured = not np.isnan(score), not np.isnan(level)
            yield Observation(
                end,
                end,
                self.step_s,
                score if judged else None,
                level if measured else None,
                "faulty" if faulty else None,
            )

    def save(self, path: Path) -> None:
        """Write as a compressed NumPy archive."""
        np.savez_compressed(
            path,
            end_utc=self.end_utc,
            score=self.score,
            level=self.level_dbfs,
            faulty=self.faulty,
            step=self.step_s,
            levels=self.levels.astype(np.float16),
        )

    @classmethod
    def load(cls, path: Path) -> Heard:
        """Read what `save` wrote."""
        with np.load(path) as saved:
            levels = saved["levels"].astype(np.float32)
            return cls(saved["end_utc"], saved["score"], saved["level"], saved["faulty"], float(saved["step"]), levels)

    def between(self, start_utc: float, end_utc: float) -> Heard:
        """Return what was heard between two times."""
        rows = np.flatnonzero((self.end_utc > start_utc) & (self.end_utc <= end_utc))
        columns = (self.end_utc[rows], self.score[rows], self.level_dbfs[rows], self.faulty[rows])
        return Heard(*columns, self.step_s, self.levels[rows])


def listen(blocks: Iterable[Block], pipeline: Pipeline) -> Heard:
    """Put a stream through the pipeline."""
    rows, levels = [], []
    unknown = np.full(len(CENTRES_HZ), np.nan, np.float32)
    for block in blocks:
        for result in pipeline.push(block):
            score = np.nan if result.score is None else result.score
            level = np.nan if result.health is None else result.health.l05
            rows.append((result.end_utc, score, level, bool(result.faults)))
            levels.append(unknown if result.levels is None else result.levels)
    table = np.array(rows, np.float64).reshape(-1, 4)
    bands = np.array(levels, np.float32).reshape(-1, len(CENTRES_HZ))
    return Heard(table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(bool), pipeline.step_s, bands)


@dataclass(frozen=True)
class Change:
    """The pipe's state as the node told it: a fault that passes by is no change."""

    utc: float
    """POSIX seconds."""
    state: State
    """OK, WARNING or LEAK."""


def decide(heard: Heard, rule: DecisionRule) -> list[Change]:
    """Run the daemon's decision over what was heard; return the changes of what it said of the pipe."""
    decision, usual, changes, believed = Decision(rule), Usual(rule.span_s), [], State.OK
    for seen, levels in zip(heard.observations(), heard.levels, strict=True):
        rise = None
        if seen.score is not None and rule.rise_db:
            rise = usual.update(seen.time_s, seen.step_s, levels, learn=not decision.suspicious)
        transition = decision.update(replace(seen, rise=rise))
        if transition is None or transition.target in {State.SENSOR_FAULT, State.NOISY}:
            continue
        if transition.target is not believed:
            believed = transition.target
            changes.append(Change(seen.utc, believed))
    return changes
