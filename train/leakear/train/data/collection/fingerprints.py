"""Finds recordings of the same sound although one was cut, resampled, or made louder.

Each 12 ms get 32 bits: whether the difference of power between neighbouring bands rises or falls. Gain cancels, a cut
only moves the bits, steady sound leaves no pattern of its own. Source: Haitsma and Kalker, "A Highly Robust Audio
Fingerprinting System", ISMIR 2002.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from leakear.edge.audio.resample import Resampler

VERSION = 1
_RATE = 4000
_FRAME, _HOP = 1536, 48
_EDGES_HZ = np.geomspace(100.0, 1700.0, 34)
_LONGEST_S = 300
"""Seconds of a recording that are compared."""
_SHORTEST = 250
"""Frames (3 s) that must overlap."""
_SHARE = 0.9
"""Of a recording that is shorter than that, this much must overlap."""
_LEAST = 40
"""Frames below which nothing is compared: a recording of 1 s has 51."""
_WRONG_BITS = 0.28
"""Share of different bits up to which two recordings hold the same sound; unrelated ones differ in half."""
_WRONG_BITS_SHORT = 0.2
"""The same where less than `_SHORTEST` overlaps: few bits differ by chance in less than half."""
_COMMON = 16
"""A pattern that is found more often says nothing."""
_KEY = np.uint32(0xFFFFFF)
"""Bits that are searched: the lower bands, which a copy of a lower rate has too."""
_DEAD = 1e-6
"""Power of a band, of the strongest one's, below which it holds no sound of the recording."""
_LEAST_BITS = 8
"""Bits in which two recordings must both have sound."""
_CANDIDATES = 40
"""Offsets that are examined for each pair at most."""


_Votes: TypeAlias = dict[tuple[int, int], dict[int, int]]
"""(recording, later one) → offset in frames → patterns that they share there."""


class Stream:
    """Computes the fingerprint of one channel, block by block."""

    def __init__(self, rate: int) -> None:
        self._resampler = Resampler(rate, _RATE)
        self._parts: list[npt.NDArray[np.float32]] = []
        self._length = 0

    def push(self, samples: npt.NDArray[np.float32]) -> None:
        """Take samples, shape (n,)."""
        if self._length < _LONGEST_S * _RATE:
            part = self._resampler.push(samples)
            self._parts.append(part)
            self._length += len(part)

    def hex(self) -> str:
        """Return the fingerprint: 8 hexadecimal digits for the bits that hold sound, then 8 each 12 ms."""
        sound = np.concatenate([*self._parts, self._resampler.push(np.zeros(0, np.float32), last=True)])
        return _bits(sound).astype(">u4").tobytes().hex()


def _bits(sound: npt.NDArray[np.float32]) -> npt.NDArray[np.uint32]:
    """Return the mask of the bits that hold sound, followed by the bits of each frame."""
    count = max(0, (len(sound) - _FRAME) // _HOP + 1)
    edges = np.round(_EDGES_HZ * _FRAME / _RATE).astype(int)
    window = np.hanning(_FRAME).astype(np.float32)
    bands = np.empty((count, 33), np.float64)
    for start in range(0, count, 1000):
        rows = np.arange(start, min(count, start + 1000))
        frames = sound[rows[:, None] * _HOP + np.arange(_FRAME)] * window
        power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
        sums = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(power, axis=1)], axis=1)
        bands[rows] = sums[:, edges[1:]] - sums[:, edges[:-1]]
    weights = 1 << np.arange(32, dtype=np.uint64)
    power = np.median(bands, axis=0) if count else np.zeros(33)
    alive = power > _DEAD * max(float(power.max()), 1e-20)
    mask = ((alive[1:] & alive[:-1]) * weights).sum()
    rising = np.diff(np.diff(bands, axis=1), axis=0) > 0
    return np.concatenate([[mask], (rising * weights).sum(axis=1)]).astype(np.uint32)


def alike(prints: Sequence[str]) -> list[tuple[int, int]]:
    """Return pairs (i, j), i < j, of recordings that hold the same sound, by their fingerprints."""
    numbers = [np.frombuffer(bytes.fromhex(text), ">u4").astype(np.uint32) for text in prints]
    masks = [int(number[0]) if len(number) else 0 for number in numbers]
    codes = [number[1:] for number in numbers]
    if not sum(map(len, codes)):
        return []
    owner = np.concatenate([np.full(len(code), number) for number, code in enumerate(codes)])
    place = np.concatenate([np.arange(len(code)) for code in codes])
    value = np.concatenate(codes) & _KEY
    order = np.argsort(value, kind="stable")
    value, owner, place = value[order], owner[order], place[order]
    votes: _Votes = {}
    starts = np.flatnonzero(np.concatenate([[True], value[1:] != value[:-1]]))
    ends = np.append(starts[1:], len(value))
    telling = (ends - starts >= 2) & (ends - starts <= _COMMON) & ~np.isin(value[starts], [0, int(_KEY)])
    shared = np.stack([starts, ends], axis=1)[telling]
    for start, end in tqdm(shared, "comparing", unit="pattern", leave=False, disable=None):
        _vote(owner[start:end], place[start:end], votes)
    return sorted((i, j) for (i, j), found in votes.items() if _same(codes[i], codes[j], masks[i] & masks[j], found))


def _vote(owners: npt.NDArray[np.int64], places: npt.NDArray[np.int64], votes: _Votes) -> None:
    """Count the offsets at which recordings share a pattern."""
    for a in range(len(owners)):
        for b in range(a + 1, len(owners)):
            first, second = (a, b) if owners[a] < owners[b] else (b, a)
            if owners[first] != owners[second]:
                offsets = votes.setdefault((int(owners[first]), int(owners[second])), {})
                offset = int(places[first] - places[second])
                offsets[offset] = offsets.get(offset, 0) + 1


def _same(a: npt.NDArray[np.uint32], b: npt.NDArray[np.uint32], mask: int, offsets: dict[int, int]) -> bool:
    if mask.bit_count() < _LEAST_BITS:
        return False
    best = sorted(offsets, key=lambda offset: -offsets[offset])[:_CANDIDATES]
    return any(_matches(a, b, mask, offset) for offset in best)


def _matches(a: npt.NDArray[np.uint32], b: npt.NDArray[np.uint32], mask: int, offset: int) -> bool:
    """Whether enough overlaps, and few enough bits differ, when b is moved by `offset` frames."""
    start = max(0, offset)
    length = min(len(a) - start, len(b) - (start - offset))
    if length < max(_LEAST, min(_SHORTEST, _SHARE * min(len(a), len(b)))):
        return False
    different = (a[start : start + length] ^ b[start - offset : start - offset + length]) & np.uint32(mask)
    wrong = float(np.unpackbits(different.view(np.uint8)).sum()) / (length * mask.bit_count())
    return wrong < (_WRONG_BITS if length >= _SHORTEST else _WRONG_BITS_SHORT)
