"""Training on several machines with tf.distribute.

Each machine runs the same `leakear-train fit` command with TF_CONFIG in its environment, which lists all workers and
the number of this one. Worker 0 writes the run folder; the others only compute. Without TF_CONFIG this process trains
alone.
"""

import json
import os
from dataclasses import dataclass
from typing import Any

from leakear.edge.errors import InputDataError

_HELP = 'it looks like {"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}'


@dataclass(frozen=True)
class Cluster:
    """The workers that train together."""

    strategy: Any
    """tf.distribute.Strategy"""
    index: int
    workers: int

    @property
    def chief(self) -> bool:
        """Whether this process writes files and draws progress bars."""
        return self.index == 0

    @property
    def replicas(self) -> int:
        """Copies of the network that share each batch."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def local(self) -> range:
        """Numbers of the replicas that this process computes."""
        each = self.replicas // self.workers
        return range(self.index * each, (self.index + 1) * each)

    def meet(self) -> None:
        """Wait until every worker has called this: a worker that exits earlier makes the others fail."""
        if self.workers == 1:
            return
        import tensorflow as tf

        def here() -> Any:
            return self.strategy.reduce("SUM", self.strategy.run(lambda: tf.ones(())), axis=None)

        float(tf.function(here)())


def task() -> tuple[int, int]:
    """Return (this worker's number, how many there are) from TF_CONFIG; (0, 1) without it. Raises InputDataError."""
    text = os.environ.get("TF_CONFIG")
    if not text:
        return 0, 1
    try:
        config = json.loads(text)
        workers, index = len(config["cluster"]["worker"]), int(config["task"]["index"])
        kind = config["task"]["type"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputDataError(f"TF_CONFIG cannot be read ({error!r}): {_HELP}") from error
    if kind != "worker" or not 0 <= index < workers:
        raise InputDataError(f"TF_CONFIG's task {kind} {index} is none of its {workers} workers: {_HELP}")
    return index, workers


def join() -> Cluster:
    """Join the workers of TF_CONFIG. Call it before anything else touches TensorFlow; waits until all have started."""
    index, workers = task()
    import tensorflow as tf

    if workers == 1:
        return Cluster(tf.distribute.get_strategy(), 0, 1)
    return Cluster(tf.distribute.MultiWorkerMirroredStrategy(), index, workers)
