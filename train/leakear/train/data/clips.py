"""Recording → labelled windows, originals and changed copies, as codes 0 to 255 like the int8 network's input.

`windows="all"`: every window of the recording; a file of 20 s gives two. `windows="first"`: the reference
notebook's rule, the first window of the whole (changed) file, short ones padded with zeros.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from leakear.edge.audio import recordings
from leakear.edge.audio.channels import Channel, Choice, each
from leakear.edge.audio.recordings import read_blocks
from leakear.edge.errors import InputDataError
from leakear.edge.spec import Decibels, Samples, SpectrogramSpec
from leakear.edge.spectrogram import spectrogram
from leakear.train.data.augmentation import Scene, augment, loop
from leakear.train.data.dataset import Recording

Codes: TypeAlias = npt.NDArray[np.uint8]
"""Spectrogram, shape (rows, frames); the network's input is code / 255."""

log = logging.getLogger(__name__)
_WHOLE_S = 60.0
"""Longest part of a file that is read when only its first window is used, seconds."""
_TAIL = 0.25
"""A remainder of at least this part of a window gives one more window, which ends with the file."""


@dataclass(frozen=True)
class Recipe:
    """How recordings become windows."""

    spec: SpectrogramSpec
    windows: Literal["all", "first"] = "all"
    copies: int = 0
    """Changed copies of each window."""
    augmentations: tuple[str, ...] = ()
    """Each copy gets one of these at random: a name, or several joined by `+` and applied in this order."""
    backgrounds: tuple[Path, ...] = ()
    """Sound files for `mix`."""
    seed: int = 42
    channel: Choice = "mix"
    """What is heard of a recording with several channels."""
    healthy: bool = False
    """Leave out windows in which a node would find no sound of the pipe (`collection.survey.UNUSABLE`)."""

    @property
    def plain(self) -> "Recipe":
        """The same without copies: for validation recordings."""
        return replace(self, copies=0, augmentations=(), backgrounds=())


@dataclass(frozen=True)
class Clip:
    """One window of a recording."""

    window: int
    """Number of the window in the recording."""
    copy: int
    """0 is the recording itself."""
    augmentation: str
    codes: Codes


def encode(decibels: Decibels, spec: SpectrogramSpec) -> Codes:
    """Quantise dB, any shape, to codes 0 (the floor) … 255 (0 dB): a step of 0.31 dB for a floor of −80."""
    return np.rint((decibels - spec.floor) * (255 / -spec.floor)).astype(np.uint8)


def clips(recording: Recording, recipe: Recipe) -> Iterator[Clip]:
    """Yield the windows of a recording, each followed by its copies. Raises InputDataError."""
    rate, count = _source(recording.path)
    scene = Scene(recipe.spec, rate, recipe.backgrounds)
    cut = _whole if recipe.windows == "first" else windows
    sounds = (sound for channel in each(recipe.channel, count) for sound in cut(recording.path, recipe.spec, channel))
    for number, sound in enumerate(sounds):
        if recipe.healthy and not usable(sound, recipe.spec):
            continue
        yield Clip(number, 0, "", _codes(sound, recipe))
        for copy in range(1, recipe.copies + 1):
            rng = np.random.default_rng([recipe.seed, int(recording.sha256[:15] or "0", 16), number, copy])
            name = str(rng.choice(recipe.augmentations))
            yield Clip(number, copy, name, _codes(augment(sound, name, rng, scene), recipe))


def usable(sound: Samples, spec: SpectrogramSpec) -> bool:
    """Tell whether a node would take this window for the sound of a pipe; a shorter or longer sound: its beginning."""
    from leakear.train.data.collection.survey import UNUSABLE, health

    length = spec.window_samples
    window = sound[:length] if len(sound) >= length else loop(sound, length, 0, round(0.05 * spec.sample_rate))
    return not set(UNUSABLE).intersection(health(window, spec)[1])


def windows(path: Path, spec: SpectrogramSpec, channel: Channel = "mix") -> Iterator[Samples]:
    """Yield the windows of a sound file, each of shape (window_samples,), reading only as far as needed.

    A remainder gives a window that ends with the file. A file shorter than a window is looped with cross-fades.
    """
    length = spec.window_samples
    recent = pending = np.zeros(0, np.float32)
    for block in read_blocks(path, spec, channel=channel, note=log.debug):
        pending = np.concatenate([pending, block.samples])
        while len(pending) >= length:
            recent, pending = pending[:length], pending[length:]
            yield recent
    if not len(recent):
        yield loop(pending, length, 0, round(0.05 * spec.sample_rate))
    elif len(pending) >= _TAIL * length:
        yield np.concatenate([recent, pending])[-length:]


def _source(path: Path) -> tuple[int, int]:
    """Return rate and channels of a file."""
    try:
        return recordings.rate_and_channels(path)
    except InputDataError:
        return 0, 1  # `read_blocks` raises the same with the reason


def _whole(path: Path, spec: SpectrogramSpec, channel: Channel) -> Iterator[Samples]:
    limit, parts = round(_WHOLE_S * spec.sample_rate), []
    for block in read_blocks(path, spec, channel=channel, note=log.debug):
        parts.append(block.samples)
        if block.start + len(block.samples) >= limit:
            break
    yield np.concatenate(parts)


def _codes(sound: Samples, recipe: Recipe) -> Codes:
    length = recipe.spec.window_samples
    fitted = sound[:length] if len(sound) >= length else np.pad(sound, (0, length - len(sound)))
    return encode(spectrogram(fitted.astype(np.float32, copy=False), recipe.spec), recipe.spec)
