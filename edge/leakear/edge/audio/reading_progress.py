"""Progress of long recordings in a terminal: how much is read, and the time left."""

import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from leakear.edge.audio.blocks import Block
from leakear.edge.audio.channels import Choice, each
from leakear.edge.audio.recordings import channels, seconds
from leakear.edge.command_line import ProgressLine
from leakear.edge.errors import InputDataError
from leakear.edge.texts import counted, printable


def shown(
    blocks: Iterator[Block], paths: Sequence[Path], chosen: Choice, *, times: int = 1, at_most_s: float = math.inf
) -> Iterator[Block]:
    """Pass blocks on; on a terminal, say from time to time how far the recordings are read.

    `paths`: none for a simulated day. `times`: how often each is read; `at_most_s`: seconds of sound after which the
    blocks end.
    """
    if not sys.stderr.isatty():
        yield from blocks
        return
    total = min(at_most_s, _length(paths, chosen) * times) if paths else at_most_s
    name = printable(paths[0].name) if len(paths) == 1 else counted(len(paths), "recording") if paths else "the day"
    line = ProgressLine(name, total if math.isfinite(total) else None)
    origin: float | None = None
    for block in blocks:
        yield block
        origin = block.monotonic if origin is None else origin
        line.update(block.monotonic - origin)
    line.end()


def _length(paths: Sequence[Path], chosen: Choice) -> float:
    """Return how many seconds are heard of recordings by their headers; infinity where that is not known."""
    total = 0.0
    for path in paths:
        length = seconds(path) if path.is_file() else None
        if length is None:
            return math.inf
        try:
            total += length * len(each(chosen, channels(path)))
        except InputDataError:
            continue  # it is named when its turn comes
    return total
