"""Capture: an endless stream of blocks from the microphone, and a named fault about once a second without sound.

"No frames for some seconds" is the only reliable sign of a pulled plug: PortAudio raises nothing and reports its dead
stream as active. Then the stream is closed, PortAudio initialised again and the device opened again, with waits that
double from 1 to 60 s, without end. A device that is absent at boot is treated in the same way. So is one that delivers
another number of samples a second than it says: it is opened again, and not used until one minute was right.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.audio.microphone import Device, SoundDeviceSource, Source, Stream, choose, find_again
from leakear.edge.audio.rate_check import RateCheck
from leakear.edge.audio.resample import Segment
from leakear.edge.audio.ring_buffer import Frames, RingBuffer
from leakear.edge.audio.sample_clock import SampleClock, Timing
from leakear.edge.errors import AudioError
from leakear.edge.options import option

if TYPE_CHECKING:
    from leakear.edge.spec import SpectrogramSpec

log = logging.getLogger(__name__)

NO_DEVICE = "no_device"
"""Fault: the device is absent or does not open."""
NO_FRAMES = "no_frames"
"""Fault: the device is open and delivers nothing."""
WRONG_RATE = "wrong_rate"
"""Fault: the device delivers fewer or more samples a second than it says."""
_REPEAT_S = 1.0
"""Seconds between two faults while there is no sound."""
_IDLE_S = 0.1
"""Seconds without a sample after which `idle` is called."""
_ALIKE_S = 10.0
"""Seconds of equal channels after which they are taken for a mono microphone."""


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """[audio]: which microphone, and when it is opened again."""

    device: str = option(
        "",
        "name, part of a name, pattern, ALSA card id or USB id of the microphone (`leakear-edge devices` lists "
        "them); empty: the system's default, and no other one until a restart",
    )
    channel: int = option(1, "channel that the sensor is wired to, counted from 1", minimum=1, maximum=64)
    rate: int = option(0, "Hz at which to open the device; 0: its own rate", minimum=0, maximum=384000)
    deaf_s: float = option(
        3.0, "seconds without a sample after which the device is opened again", minimum=0.5, maximum=10
    )
    retry_s: float = option(1.0, "seconds before the second try to open, doubled each time", minimum=0.1, maximum=60)
    retry_max_s: float = option(60.0, "seconds between tries at most", minimum=1, maximum=600)
    buffer_s: float = option(
        45.0, "seconds of sound kept while judging is late; older sound is lost and counted", minimum=5, maximum=300
    )


@dataclass(slots=True)
class CaptureStatus:
    """State of the microphone, and counters of what went wrong since the start."""

    device: str = ""
    """name of the open device; empty while there is none"""
    native_rate: int = 0
    """Hz at which the device delivers"""
    channels: int = 0
    """channels it delivers"""
    duplicated_channels: bool = False
    """all channels carry the same samples: it is a mono microphone"""
    server: bool = False
    """a sound server stands between, so the native rate is not the hardware's"""
    overruns: int = 0
    """times the driver lost samples"""
    lost_blocks: int = 0
    """deliveries lost because the main thread did not take them in time"""
    reconnects: int = 0
    """times the device was opened again"""
    timing: Timing | None = None
    """how well the time of a sample is known; None: not yet, or there is no sound"""


class _WrongRateError(AudioError):
    """The device delivers too few or too many samples."""


class Capture:
    """A microphone to iterate over without end: yields Block, or SensorFault while there is no sound.

    A context manager. `stop` ends the iteration, from a signal handler too. `idle` is called about ten times a second
    while there is no sound, so that the caller's other work does not wait for it.
    """

    def __init__(
        self,
        options: CaptureOptions,
        spec: "SpectrogramSpec",
        source: Source | None = None,
        *,
        status: CaptureStatus | None = None,
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        self.status = status or CaptureStatus()
        self._idle = idle
        self._options = options
        self.model_rate = spec.sample_rate
        """Hz of the blocks"""
        self._source: Source = source or SoundDeviceSource()
        self._stream: Stream | None = None
        self._first: Device | None = None  # the device that was opened when none was configured
        self._rate_check = RateCheck(1)
        self._sample_clock = SampleClock(1)
        self._stopped = threading.Event()
        self._deaf = False
        self._complaint = ""  # logged last: retries with the same message are not logged
        self._stale = False  # the sound system must search for devices again
        self._alike_s = 0.0  # for so long all channels were the same
        self._waits = 0
        self._end = 0  # position behind the last block, at the model's rate
        self._end_monotonic: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def stop(self) -> None:
        """End the iteration within a second."""
        self._stopped.set()

    def __iter__(self) -> Iterator[Block | SensorFault]:
        self._stale = self._stale or self._end > 0  # after a sleep: devices may have come and gone
        while not self._stopped.is_set():
            ring = RingBuffer(self._options.buffer_s)
            try:
                stream = self._open(ring)
                yield from self._listen(stream, ring)
                complaint = f"device {stream.device.name!r} delivers no sound: check its plug"
                yield from self._recover(NO_FRAMES, complaint)
            except _WrongRateError as error:
                yield from self._recover(WRONG_RATE, str(error))
            except AudioError as error:
                yield from self._recover(NO_DEVICE, str(error))
            finally:
                self._close()

    def _open(self, ring: RingBuffer) -> Stream:
        if self._stale:
            self._source.refresh()
            self._stale = False
        channel = self._options.channel
        device = self._choose()
        if channel > device.channels:
            raise AudioError(f"device {device.name!r} has no channel {channel}: set [audio] channel to 1")
        self._stream = stream = self._source.open(device, self._options.rate, max(2, channel), ring.deliver)
        self._first = self._first or device
        self._rate_check = RateCheck(stream.rate, trusted=self._rate_check.trusted)
        self._sample_clock = SampleClock(stream.rate, server=not device.card_id)
        self.status.device, self.status.native_rate = device.name, stream.rate
        self.status.channels = stream.channels
        self.status.server = device.server
        return stream

    def _choose(self) -> Device:
        """Find the microphone. When none is configured, it stays the one that was opened first."""
        devices = self._source.devices()
        if self._first is None or self._options.device:
            return choose(devices, self._options.device)
        return find_again(devices, self._first)

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = None
        self.status.device, self.status.timing = "", None

    def _recover(self, name: str, message: str) -> Iterator[SensorFault]:
        """Yield faults while waiting for the next attempt."""
        self._close()
        self._deaf = self._stale = True
        if message != self._complaint:
            log.warning("%s", message)
            self._complaint = message
        self.status.reconnects += 1
        deadline = time.monotonic() + min(self._options.retry_max_s, self._options.retry_s * 2**self._waits)
        self._waits = min(self._waits + 1, 16)
        while not self._stopped.is_set() and (left := deadline - time.monotonic()) > 0:
            yield _fault(name, message)
            self._pause(min(_REPEAT_S, left))

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopped.is_set() and (left := until - time.monotonic()) > 0:
            self._stopped.wait(min(_IDLE_S, left))
            self._idle()

    def _listen(self, stream: Stream, ring: RingBuffer) -> Iterator[Block | SensorFault]:
        """Yield blocks until the stream is dead."""
        segment: Segment | None = None
        expected = position = 0
        heard = complained = time.monotonic()
        while not self._stopped.is_set():
            frames = ring.take(min(_IDLE_S, self._options.deaf_s))
            if frames is None:
                self._idle()
                now = time.monotonic()
                if not stream.active or now - heard >= self._options.deaf_s:
                    return
                if self._deaf and now - complained >= _REPEAT_S:
                    complained = now
                    yield _fault(NO_FRAMES, f"device {stream.device.name!r} is open and has delivered nothing so far")
                continue
            heard = frames.monotonic
            self.status.overruns += frames.lost_before
            self.status.lost_blocks += frames.number - expected
            gap = frames.lost_before or frames.number != expected
            overwritten_s = (frames.number - expected) * len(frames.samples) / stream.rate
            expected = frames.number + 1
            begin, position = position, position + len(frames.samples)
            if not self._rate_is_right(stream, frames, gap):
                segment = None
                if heard - complained >= _REPEAT_S:
                    complained = heard
                    yield _fault(WRONG_RATE, self._complaint)
                continue
            if segment is None or gap:
                start = self._resume_at(frames.monotonic - len(frames.samples) / stream.rate, overwritten_s)
                segment = Segment(stream.rate, self.model_rate, start)
            end = self._time_of_end(frames, begin, gap=gap)
            block = segment.push(self._mono(frames.samples), end, end + frames.utc - frames.monotonic)
            if block is not None:
                if self._complaint:
                    log.warning("sound again: %s at %d Hz", stream.device.name, stream.rate)
                self._deaf, self._waits, self._complaint = False, 0, ""
                self._end = block.start + len(block.samples)
                self._end_monotonic = frames.monotonic
                yield block

    def _time_of_end(self, frames: Frames, begin: int, *, gap: bool) -> float:
        """Monotonic s at which the last of these frames was heard; `begin`: position of the first one in the stream."""
        if gap:
            self._sample_clock.lost()
        self._sample_clock.heard(begin, len(frames.samples), frames.monotonic, frames.delay_s)
        self.status.timing = self._sample_clock.timing
        end = self._sample_clock.time_of(begin + len(frames.samples))
        return frames.monotonic if end is None else end

    def _rate_is_right(self, stream: Stream, frames: Frames, gap: bool) -> bool:
        """Return whether this stream may be used. Raises _WrongRateError when a minute at a wrong rate has ended."""
        if gap:
            self._rate_check.restart()
        share = self._rate_check.count(len(frames.samples), frames.monotonic)
        if share is not None and not self._rate_check.trusted:
            raise _WrongRateError(
                f"device {stream.device.name!r} delivers {share:.0%} of the samples that {stream.rate} Hz require: "
                "check its cable, hub and power supply, or set [audio] rate to the rate it runs at"
            )
        return self._rate_check.trusted

    def _resume_at(self, monotonic: float, overwritten_s: float) -> int:
        """Return the stream position of a sample heard at `monotonic`, after everything yielded so far."""
        if self._end_monotonic is None:
            return 0
        gap_s = max(monotonic - self._end_monotonic, overwritten_s)
        return self._end + max(1, round(gap_s * self.model_rate))

    def _mono(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        if samples.shape[1] > 1 and samples.any():
            self.status.duplicated_channels = bool((samples[:, 0] == samples[:, 1]).all())
            self._log_duplicates(len(samples) / self.status.native_rate)
        return np.ascontiguousarray(samples[:, self._options.channel - 1])

    def _log_duplicates(self, seconds: float) -> None:
        """Log once that all channels are equal: whoever wired two sensors must know."""
        before = self._alike_s
        self._alike_s = before + seconds if self.status.duplicated_channels else 0.0
        if before < _ALIKE_S <= self._alike_s:
            log.warning(
                "all %d channels of %s carry the same sound: it is a mono microphone, or one sensor is not wired",
                self.status.channels,
                self.status.device,
            )


def _fault(name: str, message: str) -> SensorFault:
    return SensorFault(name, message, time.monotonic(), time.time())
