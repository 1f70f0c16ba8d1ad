"""Which channel of a recording is heard: one of them, their mean (`mix`), or each by itself (`all`)."""

import argparse
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Channel: TypeAlias = int | Literal["mix"]
"""Number of a channel, from 1; `mix`: the mean of all, as librosa loads it."""
Choice: TypeAlias = Channel | Literal["all"]
"""What a person chooses; `all`: each channel as a recording of its own."""


def choice(text: str) -> Choice:
    """Read `--channel`. Raises argparse.ArgumentTypeError."""
    if text == "mix":
        return "mix"
    if text == "all":
        return "all"
    if text.isascii() and text.isdigit() and int(text) >= 1:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r}: give the number of a channel from 1 on, mix or all")


def pick(frames: NDArray[np.float32], channel: Channel) -> NDArray[np.float32]:
    """Return one channel of frames (n, channels), shape (n,); an IndexError when there is no such channel."""
    if channel == "mix":
        return frames[:, 0] if frames.shape[1] == 1 else frames.mean(axis=1, dtype=np.float32)
    return frames[:, channel - 1]


def each(chosen: Choice, channels: int) -> list[Channel]:
    """Return the channels to hear, one after the other, of a recording with so many."""
    return [*range(1, channels + 1)] if chosen == "all" else [chosen]


def told(counts: Iterable[int], chosen: Choice) -> Iterator[str]:
    """Yield the line that says what is heard of recordings with these numbers of channels; none where all have one."""
    several = [count for count in counts if count > 1]
    if several:
        numbers = ", ".join(map(str, sorted(set(several))))
        have = "1 recording has" if len(several) == 1 else f"{len(several)} recordings have"
        yield f"{have} {numbers} channels; heard: {described(chosen)} (--channel N|mix|all)"


def described(chosen: Choice) -> str:
    """Say what is heard of a recording with several channels."""
    return {"mix": "the mean of all channels", "all": "each channel by itself"}.get(str(chosen), f"channel {chosen}")
