"""Logs for `tensorboard --logdir RUN/tensorboard`."""

from collections.abc import Mapping
from pathlib import Path


class Board:
    """Writes the figures of each epoch."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        self._writer = tf.summary.create_file_writer(str(folder))

    def epoch(self, epoch: int, entry: Mapping[str, float]) -> None:
        """Write one epoch, the first being 0."""
        import tensorflow as tf

        with self._writer.as_default(step=epoch + 1):
            for name, value in entry.items():
                tf.summary.scalar(name, value)
        self._writer.flush()
