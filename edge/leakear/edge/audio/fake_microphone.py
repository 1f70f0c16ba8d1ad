"""A microphone without hardware: for tests, demonstrations and rehearsing a pulled plug.

It behaves as the real one does: when it is unplugged, frames stop, `active` stays true and no exception comes; a
device that was plugged in is found only after a refresh.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from leakear.edge.audio.microphone import BLOCK_S, Deliver, Device, Stream
from leakear.edge.errors import AudioError


@dataclass(slots=True)
class FakeSource:
    """A sound system with one microphone that plays `sound` over and over."""

    sound: NDArray[np.float32]
    """Shape (n, channels), full scale ±1"""
    rate: int = 48000
    """Hz, the only rate it offers"""
    speed: float = 1.0
    """times real time"""
    plugged: bool = True
    """whether the plug is in; see `plug` and `unplug`"""
    opened: int = 0
    """streams opened so far"""
    _seen: bool = True
    _streams: "list[_FakeStream]" = field(default_factory=list)

    def plug(self) -> None:
        """Put the plug in. Programs notice at their next refresh."""
        self.plugged = True

    def unplug(self) -> None:
        """Pull the plug: frames stop without any other sign."""
        self.plugged = False

    def devices(self) -> Sequence[Device]:
        """List the microphone, as of the last refresh."""
        channels = self.sound.shape[1]
        return [Device("Fake microphone", 0, channels, self.rate, "Fake", "0000:0001")] if self._seen else []

    def open(self, device: Device, rate: int, channels: int, deliver: Deliver) -> Stream:
        """Start playing. Raises AudioError at another rate, or while it is unplugged."""
        if rate not in (0, self.rate):
            raise AudioError(f"device {device.name!r} does not open: {rate} Hz: Invalid sample rate")
        if not self.plugged:
            raise AudioError(f"device {device.name!r} does not open: it is not there")
        self.opened += 1
        stream = _FakeStream(self, device, channels, deliver)
        self._streams.append(stream)
        return stream

    def refresh(self) -> None:
        """Search for devices again; ends every stream, as PortAudio does."""
        while self._streams:
            self._streams.pop().close()
        self._seen = self.plugged


class _FakeStream:
    """A thread that delivers blocks at their due times."""

    def __init__(self, source: FakeSource, device: Device, channels: int, deliver: Deliver) -> None:
        self.device = device
        self.rate = source.rate
        self.channels = min(channels, source.sound.shape[1])
        self.active = True
        self._source = source
        self._deliver = deliver
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._play, name="fake-microphone", daemon=True)
        self._thread.start()

    def _play(self) -> None:
        block = round(self.rate * BLOCK_S)
        position = 0
        due = time.monotonic()
        while True:
            due += BLOCK_S / self._source.speed
            if self._closing.wait(max(0.0, due - time.monotonic())):
                return
            if self._source.plugged:
                indices = np.arange(position, position + block) % len(self._source.sound)
                self._deliver(self._source.sound[indices, : self.channels], False, BLOCK_S / self._source.speed)
                position += block

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
