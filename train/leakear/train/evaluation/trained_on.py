"""Which recordings a model was trained on: digests of their sound travel in the run folder and in the model file."""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from leakear.edge.audio.recordings import read_blocks
from leakear.edge.errors import InputDataError
from leakear.edge.spec import SpectrogramSpec
from leakear.train.data.dataset import Recording

log = logging.getLogger(__name__)
KEY = "sounds"
"""Key of the digests in `data` of run.json, and in `training.data` of a model file."""
DIGITS = 16
"""Hexadecimal digits kept of each sha256."""
MOST = 5000
"""A larger set keeps no digests: the model file would grow by 20 bytes for each recording."""


def digest(path: Path) -> str:
    """Return a digest of a recording's decoded sound: the same for a WAV, its FLAC copy and another name."""
    found = hashlib.sha256()
    for block in read_blocks(path, SpectrogramSpec(), channel="mix", note=log.debug):
        found.update(np.rint(block.samples * 32767).astype("<i2").tobytes())
    return found.hexdigest()[:DIGITS]


def digests(recordings: Iterable[Recording]) -> list[str]:
    """Return the digests of recordings, sorted; those that cannot be read are left out. Empty for more than MOST."""
    wanted = list(recordings)
    found = set()
    for recording in wanted if len(wanted) <= MOST else []:
        try:
            found.add(digest(recording.path))
        except InputDataError:
            continue  # it trained nothing: `features` has named it
    return sorted(found)


def known(description: Mapping[str, Any]) -> frozenset[str]:
    """Return the digests in a model file's description (`BundleInfo.raw`); empty when it has none."""
    data = description.get("training", {}).get("data", {})
    return frozenset(data.get(KEY, ())) if isinstance(data, dict) else frozenset()
