"""Recordings that are too short, repeated without a seam."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from leakear.edge.audio.blocks import Block
from leakear.edge.audio.channels import Channel
from leakear.edge.audio.recordings import read_blocks
from leakear.edge.spec import Samples, SpectrogramSpec
from leakear.train.data.augmentation import loop

BLOCK = 22050
"""Samples given to the pipeline at once."""
FADE_S = 0.05
"""Seconds of cross-fade where a short recording is repeated."""


def repeated(path: Path, spec: SpectrogramSpec, least_s: float, channel: Channel = "mix") -> Iterator[Block]:
    """Stream a recording, repeated until `least_s` seconds have passed; the seams are cross-faded."""
    blocks = read_blocks(path, spec, channel=channel)
    wanted = round(least_s * spec.sample_rate)
    begun: list[Block] = []
    for block in blocks:
        begun.append(block)
        if block.start + len(block.samples) >= wanted:  # as long as it must be: not held in memory
            yield from begun
            yield from blocks
            return
    sound: Samples = np.concatenate([block.samples for block in begun])
    fade = round(FADE_S * spec.sample_rate)
    sound = loop(sound, len(sound) - min(fade, len(sound) // 2), 0, fade)
    once = len(sound)
    sound = np.resize(sound, once + BLOCK)  # continues after its end, so that every block is one slice
    for start in range(0, wanted, BLOCK):
        at = start / spec.sample_rate
        yield Block(start, sound[start % once :][: min(BLOCK, wanted - start)], at, at)
