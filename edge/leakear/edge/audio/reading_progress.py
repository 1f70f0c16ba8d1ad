"""Progress of a long recording in a terminal: how much is read, and the time left."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from leakear.edge.audio.blocks import Block
from leakear.edge.audio.recordings import seconds
from leakear.edge.texts import printable

_AFTER_S = 10.0
"""Nothing is shown for a recording that is read in less time."""
_EVERY_S = 1.0


def shown(path: Path, blocks: Iterator[Block]) -> Iterator[Block]:
    """Pass blocks on; on a terminal, print from time to time how far the recording is read."""
    if not sys.stderr.isatty():
        yield from blocks
        return
    began = last = time.monotonic()
    origin: float | None = None
    total = seconds(path) if path.is_file() else None
    printed = False
    for block in blocks:
        yield block
        origin = block.monotonic if origin is None else origin
        now = time.monotonic()
        if now - began > _AFTER_S and now - last > _EVERY_S:
            line = _line(path, block.monotonic - origin, total, now - began)
            print(f"\r\x1b[2K{line}\r", end="", file=sys.stderr)  # other lines are written over it
            sys.stderr.flush()
            last, printed = now, True
    if printed:
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)


def _line(path: Path, done_s: float, total_s: float | None, spent_s: float) -> str:
    if not total_s or done_s <= 0:
        return f"{printable(path.name)}: {done_s / 60:.0f} min read"
    left = max(0.0, total_s - done_s) * spent_s / done_s
    return f"{printable(path.name)}: {min(1.0, done_s / total_s):.0%} read, about {left / 60:.1f} min left"
