"""A corpus of odd recordings: each is read in full, compared with a second decoder, or refused in one sentence."""

import shutil
import subprocess
from collections import Counter, defaultdict
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leakear.edge.audio.containers.other import NO_LENGTH
from leakear.edge.audio.sound_file import opened
from leakear.edge.errors import InputDataError
from tests.support.odd_recordings import Odd, corpus

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]
LOSSY = {"OGG", "OPUS", "MP3", "MPEG", "M4A", "WEBM", "MKA", "AAC", "AMR", "3GP", "WMA", "MP4", "MP2"}
"""Codecs whose decoders differ, and which add or cut off some ms at the ends."""
CODED = ("ADPCM", "GSM", "G721", "ULAW", "sox.voc")
"""Parts of names of files whose decoders differ a little."""
BARE = {"AVR", "HTK", "IRCAM", "MAT4", "MAT5", "NIST", "PAF", "PVF", "SVX", "VOC", "SDS"}
"""Formats without chunks: what follows the sound is read as sound, or refused."""


def ours(path: Path) -> tuple[np.ndarray, list[str]]:
    with opened(path) as sound:
        return np.concatenate([chunk.frames for chunk in sound.chunks()]), sound.notes


@lru_cache(maxsize=64)
def second(path: Path) -> np.ndarray:
    """Decode with another program: ffmpeg, else sox, else soundfile in one piece."""
    channels, rate = 1, 0
    try:
        info = soundfile.info(path)
        channels, rate = info.channels, info.samplerate
    except soundfile.SoundFileError:
        pass
    if path.suffix in (".mat4", ".mat5"):  # ffmpeg takes it for something else
        return soundfile.read(path, dtype="float32", always_2d=True)[0]
    words = (
        "ffmpeg",
        "-v",
        "error",
        "-i",
        path,
        "-f",
        "f32le",
        "-c:a",
        "pcm_f32le",
        *(("-ar", rate) if rate else ()),
        "-",
    )
    done = subprocess.run([str(word) for word in words], capture_output=True, check=False, timeout=600)
    if done.returncode == 0 and len(done.stdout):
        return np.frombuffer(done.stdout, np.float32).reshape(-1, channels)
    done = subprocess.run(["sox", str(path), "-t", "f32", "-"], capture_output=True, check=False, timeout=600)
    if done.returncode == 0 and len(done.stdout):
        return np.frombuffer(done.stdout, np.float32).reshape(-1, channels)
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def outcome(odd: Odd) -> tuple[str, str]:
    """Return what happened, and what is wrong about it (empty: nothing)."""
    try:
        heard, notes = ours(odd.path)
    except InputDataError as error:
        said = str(error)
        good = said.startswith(str(odd.path)) and "\n" not in said
        wrong = "" if good and (odd.whole is None or odd.times > 1) else f"refused: {said}"
        return "refused", wrong
    if odd.whole is None:
        return "read", "" if NO_LENGTH in notes else f"read {len(heard)} frames of what should be refused"
    wanted = np.concatenate([second(odd.whole)] * odd.times)
    coded = odd.container in LOSSY or any(name in odd.path.name for name in CODED)
    more, fewer = (2400 * odd.times, 2400 * odd.times) if coded else (0, 0)
    if odd.container in BARE and odd.times > 1:
        more = 2000
    if not -fewer <= len(heard) - len(wanted) <= more:
        return "read", f"{len(heard)} frames, the second decoder has {len(wanted)}"
    if not coded and len(heard) == len(wanted) and not np.allclose(heard, wanted, atol=2e-3):
        return "read", f"samples differ by {np.abs(heard - wanted).max():.4f}"
    return "read", ""


def test_no_odd_recording_is_lost_in_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = [name for name in ("sox", "flac", "ffmpeg", "arecord") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: make test-odd-recordings installs them")
    found = corpus(tmp_path)
    table: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    wrong = []
    for odd in found:
        what, why = outcome(odd)
        table[odd.container, odd.fault][what] += 1
        if why:
            wrong.append(f"{odd.path.name} ({odd.fault}): {why}")
    with capsys.disabled():
        print(f"\n{len(found)} files\n{'container':10} {'fault':22} {'read':>5} {'refused':>8}")
        for (container, fault), counts in sorted(table.items()):
            print(f"{container:10} {fault:22} {counts['read']:5} {counts['refused']:8}")
    assert len(found) >= 150
    assert not wrong, "\n".join(wrong)
