"""Percentiles of small arrays: numpy's values at a third of the time that its general function takes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def percentile(values: NDArray[np.floating[Any]], percent: float) -> Any:
    """Return what `np.percentile(values, percent, axis=0)` returns (linear interpolation). No value may be NaN.

    `values`: shape (n, …), n at least 1; it is left as it is. Returns shape (…), a scalar for shape (n,).
    """
    position = percent / 100 * (len(values) - 1)
    below = int(position)
    above = min(below + 1, len(values) - 1)
    ordered = np.partition(values, (below, above), axis=0)
    low, high, share = ordered[below], ordered[above], position - below
    return low + (high - low) * share if share < 0.5 else high - (high - low) * (1 - share)
