"""The windows of each training batch and their order, for each worker: a pure function of the seed and the epoch.

So an interrupted run that continues, and a run on several workers, use the same batches as an uninterrupted one.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from leakear.train.data.clips import Codes
from leakear.train.data.features import FeatureSet


def order(count: int, batch_size: int, seed: int, epoch: int, replicas: int = 1) -> list[npt.NDArray[np.int64]]:
    """Return the row numbers of each batch of an epoch, (batch_size,) each.

    The last one is cut to a multiple of the replicas.
    """
    rows = np.random.default_rng([seed, epoch]).permutation(count)
    rows = rows[: len(rows) - len(rows) % replicas]
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]


def class_weights(targets: npt.NDArray[np.uint8], *, balance: bool) -> npt.NDArray[np.float32]:
    """Return the weight of NoLeak and of Leak, shape (2,); balanced ones give both classes equal total weight."""
    if not balance:
        return np.ones(2, np.float32)
    counts = np.bincount(targets, minlength=2)
    return (len(targets) / (2 * np.maximum(counts, 1))).astype(np.float32)


def stream(
    features: FeatureSet,
    batches: list[npt.NDArray[np.int64]],
    weights: npt.NDArray[np.float32],
    replicas: int,
    local: range,
) -> Iterator[tuple[Codes, npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Yield (codes (k, rows, frames), targets (k, 1), weights (k, 1)), batch by batch, for each replica of this worker.

    The weights already hold 1 / (size of the whole batch), so that losses and gradients of all replicas can be summed.
    """
    targets = features.targets
    for batch in batches:
        for replica in local:
            rows = batch[replica::replicas]
            chosen = targets[rows]
            yield (
                features.read(rows),
                chosen[:, None].astype(np.float32),
                weights[chosen][:, None] / np.float32(len(batch)),
            )
