"""Mutated recordings: no traceback, one sentence, nothing lost in silence. `make fuzz-recordings`: 20,000."""

import io
import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leakear.edge.audio.sound_file import opened
from leakear.edge.errors import InputDataError
from tests.support.odd_recordings import sound

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]
COUNT = int(os.environ.get("FUZZ", "2000"))
SEEDS = {
    ("WAV", "PCM_16"): (20, 36),
    ("WAV", "PCM_24"): (16, 60),
    ("WAV", "FLOAT"): (16, 60),
    ("WAV", "MS_ADPCM"): (16, 90),
    ("WAV", "GSM610"): (16, 60),
    ("RF64", "PCM_16"): (12, 104),
    ("W64", "PCM_16"): (24, 104),
    ("AIFF", "PCM_16"): (12, 54),
    ("AU", "PCM_16"): (4, 24),
    ("CAF", "PCM_16"): (8, 68),
    ("FLAC", "PCM_16"): (4, 42),
    ("OGG", "VORBIS"): (0, 0),
    ("OGG", "OPUS"): (0, 0),
    ("MP3", "MPEG_LAYER_III"): (0, 0),
    ("VOC", "PCM_16"): (0, 40),
    ("NIST", "PCM_16"): (0, 1024),
    ("SVX", "PCM_16"): (0, 120),
    ("MAT5", "PCM_16"): (0, 300),
    ("PAF", "PCM_16"): (0, 2048),
    ("IRCAM", "PCM_16"): (0, 1024),
}
"""(container, codec) → bytes that describe the samples: with those changed, another number of frames is no loss"""


def seeds() -> dict[tuple[str, str], bytes]:
    made = {}
    for kind, codec in SEEDS:
        buffer = io.BytesIO()
        soundfile.write(buffer, sound(0.2), 8000, codec, format=kind)
        made[kind, codec] = buffer.getvalue()
    return made


def mutated(data: bytes, rng: random.Random, described: tuple[int, int]) -> tuple[bytes, str, bool]:
    """Return a changed file, what was done, and whether every frame of the sound must be heard or its loss told."""
    kind = rng.choice(("flip", "flip", "header", "cut", "cut", "insert", "delete", "zero", "append", "swap"))
    out = bytearray(data)
    at = rng.randrange(len(out))
    if kind in ("flip", "header"):
        places = [rng.randrange(min(len(out), 128 if kind == "header" else len(out))) for _ in range(rng.randint(1, 4))]
        for place in places:
            out[place] ^= 1 << rng.randrange(8)
        return bytes(out), kind, not any(described[0] <= place < described[1] for place in places)
    if kind == "cut":
        return bytes(out[:at]), kind, True
    if kind == "append":
        return bytes(out) + rng.randbytes(rng.randint(1, 5000)), kind, True
    length = rng.randint(1, 64)
    touched = [at]
    if kind == "insert":
        out[at:at] = rng.randbytes(length)
    elif kind == "delete":
        del out[at : at + length]
    elif kind == "zero":
        out[at : at + length] = bytes(len(out[at : at + length]))
    else:
        other = rng.randrange(len(out))
        touched.append(other)
        out[at : at + length], out[other : other + length] = out[other : other + length], out[at : at + length]
    return bytes(out), kind, all(place >= described[1] or place + length <= described[0] for place in touched)


def read(path: Path) -> tuple[int, int, list[str]]:
    with opened(path) as file:
        frames = [chunk.frames for chunk in file.chunks()]
        return sum(map(len, frames)), frames[0].shape[1] if frames else 0, file.notes


def test_mutated_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(int(os.environ.get("FUZZ_SEED", "1")))
    path, made, counts, wrong = tmp_path / "x.wav", seeds(), Counter[str](), []
    whole = {}
    for key, data in made.items():
        path.write_bytes(data)
        whole[key] = read(path)[0]
    for number in range(COUNT):
        key = rng.choice(list(made))
        data, kind, must = mutated(made[key], rng, SEEDS[key])
        path.write_bytes(data)
        try:
            frames, channels, notes = read(path)
        except InputDataError as error:
            counts["refused"] += 1
            if "\n" in str(error) or not str(error).startswith(str(path)):
                wrong.append(f"{number} {key} {kind}: {error!r}")
            continue
        except Exception as error:  # noqa: BLE001 - the point of the test
            wrong.append(f"{number} {key} {kind}: {type(error).__name__}: {error}")
            continue
        counts["read with a note" if notes else "read"] += 1
        if must and not notes and channels == 1 and frames < whole[key]:
            wrong.append(f"{number} {key} {kind}: {frames} of {whole[key]} frames, without a word")
    with capsys.disabled():
        print(f"\n{COUNT} mutated files: {dict(counts)}, wrong {len(wrong)}")
    assert not wrong, "\n".join(wrong[:60])


def test_noise_is_no_sound(tmp_path: Path) -> None:
    path, rng = tmp_path / "x.wav", np.random.default_rng(3)
    for magic in (
        b"RIFF",
        b"RF64",
        b"FORM",
        b".snd",
        b"caff",
        b"fLaC",
        b"OggS",
        b"ID3\x03",
        b"\xff\xfb\x90\x00",
        b"riff",
    ):
        for size in (0, 3, 20, 200, 5000):
            path.write_bytes(magic + rng.bytes(size))
            with pytest.raises(InputDataError):
                read(path)
