"""A microphone whose deliveries the test makes itself."""

import threading
from collections.abc import Callable, Sequence

import numpy as np

from leakear.edge.audio.blocks import Block
from leakear.edge.audio.capture import Capture, CaptureOptions
from leakear.edge.audio.microphone import Deliver, Device, Stream
from leakear.edge.spectrogram import SpectrogramSpec

SPEC = SpectrogramSpec()
QUICK = CaptureOptions(deaf_s=0.1, retry_s=0.02, retry_max_s=0.05)
SOUND = (np.random.default_rng(2).standard_normal((48000, 2)) * 0.1).astype(np.float32)


class Script:
    """A source whose deliveries the test makes itself."""

    def __init__(self, channels: int = 1, rate: int = 48000) -> None:
        self.device = Device("Script", 0, channels, rate)
        self.rate = rate
        self.channels = channels
        self.active = True
        self.deliver: Deliver | None = None

    def devices(self) -> Sequence[Device]:
        return [self.device]

    def open(self, device: Device, rate: int, channels: int, deliver: Deliver) -> Stream:  # noqa: ARG002
        self.deliver = deliver
        return self

    def refresh(self) -> None: ...

    def close(self) -> None: ...


def started(script: Script, options: CaptureOptions = QUICK) -> tuple[Capture, Callable[[], Block]]:
    """Return a capture whose stream is open, and what gives its next block."""
    capture = Capture(options, SPEC, script)
    items = iter(capture)
    opener = threading.Timer(
        0.05, lambda: script.deliver and script.deliver(SOUND[:4800, : script.channels], False, None)
    )
    opener.start()
    first = next(items)
    opener.join()
    assert isinstance(first, Block)

    def following() -> Block:
        item = next(items)
        assert isinstance(item, Block)
        return item

    return capture, following
