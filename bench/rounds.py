"""Two ways of doing the same, measured in turns, so that a busy moment of the machine hits both."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Comparison:
    """Times in milliseconds and the ratio of each round."""

    ours_ms: list[float]
    theirs_ms: list[float]

    @property
    def ratio(self) -> float:
        """How many times faster ours is, median over the rounds."""
        return statistics.median(self.ratios)

    @property
    def ratios(self) -> list[float]:
        """The same, round by round."""
        return [theirs / ours for ours, theirs in zip(self.ours_ms, self.theirs_ms, strict=True)]

    def __str__(self) -> str:
        tenths = statistics.quantiles(self.ratios, n=10)
        ours, theirs = statistics.median(self.ours_ms), statistics.median(self.theirs_ms)
        return f"{self.ratio:.1f} × ({tenths[0]:.1f} to {tenths[-1]:.1f}); {ours:.2f} ms against {theirs:.2f} ms"


def compare(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> Comparison:
    """Alternate; within a round take the best of three of each, as timeit does."""
    ours()
    theirs()
    pairs = [(best_of_three(ours), best_of_three(theirs)) for _ in range(rounds)]
    return Comparison([pair[0] for pair in pairs], [pair[1] for pair in pairs])


def best_of_three(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1e3)
    return min(times)
