"""What a window and its spectrogram are: the numbers that every stage shares and that travel inside the model file."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]
"""Mono sound, shape (n,), full scale ±1."""
Decibels: TypeAlias = NDArray[np.float32]
"""Spectrogram, shape (rows, frames), in dB, rows from low to high frequency."""

REFERENCES: Mapping[str, float] = MappingProxyType({"max": -80.0, "full-scale": -120.0, "own": -80.0})
"""Reference → its usual floor, dB; that of "max" is librosa's top_db."""
OWN_HEADROOM_DB = 40.0
"""With reference "own", 0 dB is this far above the window's mean level, dB."""


@dataclass(frozen=True, slots=True)
class SpectrogramSpec:
    """What a spectrogram is. It travels inside the model file; a site's configuration never holds these numbers."""

    reference: Literal["max", "full-scale", "own"] = "max"
    """0 dB is the window's maximum (the notebook), a full-scale sine (keeps the level), or OWN_HEADROOM_DB above the
    window's own mean level, that is the mean of its decibels within the band (does not change with the gain)"""
    sample_rate: int = 22050
    """Hz"""
    window_seconds: float = 10.0
    """s"""
    n_fft: int = 4096
    """points of one transform"""
    hop_length: int = 512
    """samples between frames"""
    floor_db: float | None = None
    """dB; lower values are clipped. None: that of REFERENCES"""
    band_hz: tuple[float, float] | None = None
    """Hz, lowest and highest row kept (for sensors of less bandwidth). None: all rows"""

    def __post_init__(self) -> None:
        if self.reference not in REFERENCES:
            raise ValueError(f"spectrogram reference {self.reference!r}: use {', '.join(REFERENCES)}")
        if self.n_fft < 2 or self.n_fft % 2 or not 0 < self.hop_length <= self.n_fft:
            raise ValueError(f"n_fft {self.n_fft} must be even and hop_length {self.hop_length} within 1 to n_fft")
        if self.sample_rate <= 0 or not 0 < self.window_seconds <= 600:
            raise ValueError(
                f"sample rate {self.sample_rate} Hz, window {self.window_seconds} s: both positive, at most 600 s"
            )
        if self.floor_db is None:
            object.__setattr__(self, "floor_db", REFERENCES[self.reference])
        if not self.floor < 0:
            raise ValueError(f"floor_db {self.floor_db} must be negative")
        if self.band_hz is not None:
            low, high = self.band_hz
            if not 0 <= low < high <= self.sample_rate / 2:
                raise ValueError(f"band_hz {self.band_hz} must rise within 0 to {self.sample_rate / 2} Hz")
            object.__setattr__(self, "band_hz", (float(low), float(high)))

    @property
    def floor(self) -> float:
        """Lowest value of the spectrogram, dB."""
        return cast("float", self.floor_db)

    @property
    def window_samples(self) -> int:
        """Samples of one window (220500)."""
        return round(self.window_seconds * self.sample_rate)

    @property
    def frames(self) -> int:
        """Frames of one window (431)."""
        return 1 + self.window_samples // self.hop_length

    @property
    def bins(self) -> int:
        """Frequencies of the transform (2049), whatever the band."""
        return self.n_fft // 2 + 1

    @property
    def band(self) -> slice:
        """Rows of the transform that are kept."""
        if self.band_hz is None:
            return slice(0, self.bins)
        low, high = (hz * self.n_fft / self.sample_rate for hz in self.band_hz)
        return slice(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)

    @property
    def rows(self) -> int:
        """Rows kept."""
        return len(range(self.bins)[self.band])

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, frames) of a spectrogram."""
        return self.rows, self.frames

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Centre of each kept row, shape (rows,), Hz."""
        return np.arange(self.bins, dtype=np.float64)[self.band] * (self.sample_rate / self.n_fft)

    @property
    def full_scale(self) -> float:
        """Magnitude of a full-scale sine in its bin: half the sum of the Hann window."""
        return self.n_fft / 4

    def to_json(self) -> dict[str, Any]:
        """As it stands in a model file."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "SpectrogramSpec":
        """Inverse of `to_json`. Raises ValueError for unknown or impossible fields."""
        known = dict(fields)
        if known.get("band_hz") is not None:
            low, high = known["band_hz"]
            known["band_hz"] = (low, high)
        try:
            return cls(**known)
        except TypeError as error:
            raise ValueError(f"spectrogram: {error}") from None
