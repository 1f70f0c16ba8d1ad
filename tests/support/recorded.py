"""Recorded days made of scores, levels and third octaves, without sound."""

import numpy as np
from numpy.typing import NDArray

from leakear.edge.background.third_octaves import CENTRES_HZ
from leakear.edge.health.measures import Measures
from leakear.train.nodedays.recorded_day import MEASURES, RecordedDay, Row
from tests.support.level_scorer import SPEC

HEALTHY = Measures(
    finite=True,
    level_dbfs=-28.0,
    l05=-30.0,
    l95=-20.0,
    dc=0.0,
    clip_ratio=0.0,
    flat_ratio=0.0,
    flat_value=0.0,
    mains_ratio=0.0,
    bandwidth_hz=10000.0,
)


def recorded_day(
    score: NDArray[np.float64], step_s: float, level_dbfs: float | NDArray[np.float64] = -30.0, start_s: float = 0.0
) -> RecordedDay:
    """A window every `step_s` seconds, all without a fault."""
    count = len(score)
    end = start_s + step_s * np.arange(1, count + 1)
    measures = np.tile(np.array([getattr(HEALTHY, name) for name in MEASURES], np.float64), (count, 1))
    measures[:, MEASURES.index("l05")] = level_dbfs
    return RecordedDay(
        kind=np.full(count, Row.SCORED, np.uint8),
        monotonic=end,
        start_utc=end - SPEC.window_seconds,
        end_utc=end,
        score=score,
        measures=measures,
        levels=np.full((count, len(CENTRES_HZ)), -60.0, np.float32),
        fault=np.full(count, ""),
        gap_s=np.zeros(count),
        step_s=step_s,
        spec=SPEC,
    )
