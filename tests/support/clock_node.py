"""The daemon with the clock of `leakear-edge run`, hearing a recording: the clock tests move the time under it.

    python -m tests.support.clock_node CONFIG WAV SECONDS_OF_SOUND SPEED

The kernel's word is taken as "synchronised": whether the test machine's clock is kept is not what is tested.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from leakear.edge.audio import recordings
from leakear.edge.audio.blocks import Block
from leakear.edge.clock import Clock
from leakear.edge.compose import open_node
from leakear.edge.node.systemd import log_to_stderr
from leakear.edge.settings import Settings
from leakear.edge.spectrogram import SpectrogramSpec


def heard(path: Path, spec: SpectrogramSpec, seconds: float, speed: float) -> Iterator[Block]:
    """Yield the recording again and again, stamped with the wall clock of this moment."""
    position, began = 0, time.monotonic()
    while position < seconds * spec.sample_rate:
        for block in recordings.read_blocks(path, spec):
            at = position / spec.sample_rate
            time.sleep(max(0.0, began + at / speed - time.monotonic()))
            yield Block(position, block.samples, time.time(), at)
            position += len(block.samples)


def main() -> None:
    config, sound, seconds, speed = sys.argv[1:]
    log_to_stderr("info")
    with open_node(Settings.load(Path(config)), Clock(kernel=lambda: True)) as node:
        assert node.link is not None
        node.run(heard(Path(sound), node.detector.model.info.spec, float(seconds), float(speed)))
        if not node.link.drain(60):
            raise SystemExit(69)


main()
