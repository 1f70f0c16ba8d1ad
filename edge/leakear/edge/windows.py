"""Windows: cuts the endless stream of samples into windows of 10 seconds.

`Block.start` counts samples since the stream began, so that lost sound (an overrun, an unplugged microphone) shows as
a jump. A window with a gap is discarded and counted. The stages after this one cost far more time than this one, so a
node that falls behind drops whole windows, the oldest first, and counts them too:
`produced = handed out + discarded + dropped`, always.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leakear.edge.audio.blocks import Block
from leakear.edge.options import option

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leakear.edge.spec import SpectrogramSpec


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """[window]: how often a window is judged, and how late that may become."""

    step_s: float = option(
        10.0,
        "seconds between the starts of two windows; under 10 they overlap (`leakear-edge bench` prints what "
        "this machine can keep up with)",
        minimum=0.1,
        maximum=3600,
    )
    max_lag_s: float = option(
        30.0,
        "seconds after which a window that still waits to be judged is dropped, counted and reported",
        minimum=5,
        maximum=300,
    )


@dataclass(frozen=True, slots=True)
class Window:
    """One window of sound without a gap."""

    index: int
    """Number of the window since the stream began, windows that were lost included."""

    start: int
    """Index of the first sample since the stream began."""

    samples: NDArray[np.float32]
    """Shape (window_samples,), full scale is ±1."""

    start_utc: float
    """Time of the first sample, s since 1970."""

    start_monotonic: float
    """The same time on the clock that never steps, s."""

    step_samples: int | None
    """Samples since the start of the window handed out before; None where there is a gap between them."""


class Windower:
    """Cuts blocks into windows of `spec.window_samples`, one every `step_s` seconds.

    Steps shorter than a window are rounded to whole hops of the spectrogram, because only those can be
    computed incrementally.
    """

    def __init__(self, spec: SpectrogramSpec, step_s: float, max_lag_s: float = 30.0) -> None:
        self.step_samples = step_samples(spec, step_s)
        """Samples from one window's start to the next one's."""
        self.produced = 0
        """Windows since the stream began: handed out, discarded or dropped."""
        self.discarded = 0
        """Windows discarded because of a gap."""
        self.dropped = 0
        """Windows dropped because the node was behind."""
        self._rate = spec.sample_rate
        self._length = spec.window_samples
        self._max_lag_s = max_lag_s
        self._behind = False
        self._buffer = np.empty(self._length, np.float32)
        self._origin = 0  # stream position where the next window starts
        self._position = 0  # stream position of the next sample to come
        self._previous: int | None = None  # start of the window handed out last, while the sound is unbroken

    def push(self, block: Block, now: float | None = None) -> list[Window]:
        """Add a block and return the windows it completes.

        `now` is the present time on the monotonic clock: windows that ended more than `max_lag_s` ago are
        dropped, and then all until the backlog is gone. Leave it out for recordings, which cannot be late.
        """
        if block.start != self._position:
            self._gap(block.start)
        windows = []
        rest = block.samples
        while len(rest):
            rest = rest[self._take(rest) :]
            if self._position == self._origin + self._length:
                window = self._complete(block)
                if not self._late(window, now):
                    windows.append(window)
                    self._previous = window.start
        return windows

    def pause(self) -> None:
        """Drop the unfinished windows without counting them: nobody listens for a while."""
        self.restart(self._position)

    def restart(self, start: int) -> None:
        """Drop the unfinished windows without counting them: another recording begins at `start`."""
        self._origin = self._position = start
        self._previous = None

    def _take(self, samples: NDArray[np.float32]) -> int:
        """Copy the samples that the next window needs, or skip those before it; return the number of samples used."""
        filled = self._position - self._origin
        if filled < 0:
            n = min(len(samples), -filled)
        else:
            n = min(len(samples), self._length - filled)
            self._buffer[filled : filled + n] = samples[:n]
        self._position += n
        return n

    def _complete(self, block: Block) -> Window:
        # Times are taken from the newest block: the clock may have been set since the window began.
        age_s = (block.start - self._origin) / self._rate
        advance = None if self._previous is None else self._origin - self._previous
        window = Window(
            index=self.produced,
            start=self._origin,
            samples=self._buffer.copy(),
            start_utc=block.utc - age_s,
            start_monotonic=block.monotonic - age_s,
            step_samples=advance,
        )
        self.produced += 1
        kept = max(0, self._length - self.step_samples)
        self._buffer[:kept] = self._buffer[self._length - kept :].copy()
        self._origin += self.step_samples
        return window

    def _late(self, window: Window, now: float | None) -> bool:
        if now is None:
            return False
        lag_s = now - window.start_monotonic - self._length / self._rate
        self._behind = lag_s > (self.step_samples / self._rate if self._behind else self._max_lag_s)
        self.dropped += self._behind
        return self._behind

    def _gap(self, start: int) -> None:
        """Discard the unfinished windows, and start again at the first sample after the gap."""
        filled = self._position - self._origin
        begun = -(-filled // self.step_samples) if filled > 0 else 0
        self.produced += begun
        self.discarded += begun
        self.restart(start)


def step_samples(spec: SpectrogramSpec, step_s: float) -> int:
    """Turn a step in seconds into samples from one window's start to the next one's."""
    wished = max(1, round(step_s * spec.sample_rate))
    if abs(wished - spec.window_samples) < spec.hop_length:
        return spec.window_samples
    if wished > spec.window_samples:
        return wished
    return max(1, round(wished / spec.hop_length)) * spec.hop_length
