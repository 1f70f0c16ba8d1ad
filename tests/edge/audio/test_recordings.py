"""Recordings and resampling."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from leakear.edge.audio.blocks import to_int16
from leakear.edge.audio.recordings import read_blocks, read_wav
from leakear.edge.audio.resample import Resampler
from leakear.edge.errors import InputDataError
from leakear.edge.spectrogram import SpectrogramSpec

SPEC = SpectrogramSpec()
RNG = np.random.default_rng(1)
NOISE = (RNG.standard_normal(48000) * 0.1).astype(np.float32)


@pytest.mark.parametrize("size", [17, 509, 4800, 44100])
@pytest.mark.parametrize("rate", [48000, 44100, 4096, 8092, 22050])
def test_streamed_resampling_is_bit_equal_to_one_shot(rate: int, size: int) -> None:
    resampler = Resampler(rate, SPEC.sample_rate)
    parts = [resampler.push(NOISE[i : i + size], last=i + size >= len(NOISE)) for i in range(0, len(NOISE), size)]
    assert np.array_equal(np.concatenate(parts), soxr.resample(NOISE, rate, SPEC.sample_rate, soxr.HQ))


def test_a_recording_is_what_librosa_would_load(tmp_path: Path) -> None:
    path = tmp_path / "noise.wav"
    soundfile.write(path, NOISE, 44100, subtype="PCM_16")
    read, _ = soundfile.read(path, dtype="float32")
    assert np.array_equal(read_wav(path, SPEC), soxr.resample(read, 44100, 22050, "HQ"))


@pytest.mark.parametrize(("name", "subtype"), [("a.wav", "PCM_24"), ("a.wav", "FLOAT"), ("a.flac", "PCM_16")])
def test_the_chosen_channel_is_heard(tmp_path: Path, name: str, subtype: str) -> None:
    path = tmp_path / name
    soundfile.write(path, np.stack([np.zeros(22050), NOISE[:22050]], axis=1), 22050, subtype=subtype)
    assert not read_wav(path, SPEC).any()
    assert np.allclose(read_wav(path, SPEC, channel=2), NOISE[:22050], atol=1e-4)
    with pytest.raises(InputDataError, match=r"has no channel 3, only 1 to 2"):
        read_wav(path, SPEC, channel=3)


def test_blocks_are_numbered_without_a_gap_and_dated(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.tile(NOISE, 3), 48000)
    heard = list(read_blocks(path, SPEC, utc=500.0))
    assert heard[0].start == 0
    assert all(a.start + len(a.samples) == b.start for a, b in pairwise(heard))
    assert heard[-1].start + len(heard[-1].samples) == 3 * 22050
    assert heard[-1].utc == pytest.approx(500 + heard[-1].start / 22050)


def wav(path: Path) -> bytes:
    soundfile.write(path, NOISE, 48000)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda _: b"", "is empty"),
        (lambda data: data[:44], "is truncated"),
        (lambda data: data[: len(data) // 2], "is truncated"),
        (lambda _: b"not sound at all" * 100, "cannot be read as sound"),
        (lambda data: data[:24] + b"\x01\x00\x00\x00" + data[28:], "sample rate 1 Hz"),
    ],
)
def test_a_damaged_recording_is_refused_by_name(tmp_path: Path, damage: object, sentence: str) -> None:
    path = tmp_path / "night.wav"
    path.write_bytes(damage(wav(path)))  # type: ignore[operator]
    with pytest.raises(InputDataError, match=rf"night\.wav.*{sentence}"):
        read_wav(path, SPEC)


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_recording_with_values_that_are_no_numbers_is_refused(tmp_path: Path, poison: float) -> None:
    path = tmp_path / "nan.wav"
    samples = NOISE.copy()
    samples[30000] = poison
    soundfile.write(path, samples, 48000, subtype="FLOAT")
    with pytest.raises(InputDataError, match="NaN or infinity"):
        read_wav(path, SPEC)


def test_a_missing_recording_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match=r"absent\.wav: cannot be opened"):
        read_wav(tmp_path / "absent.wav", SPEC)


def test_pcm_clips_instead_of_wrapping() -> None:
    floats = np.array([-2, -1, 0, 0.5, 1, 2, np.nan, np.inf], np.float32)
    assert to_int16(floats).tolist() == [-32768, -32768, 0, 16384, 32767, 32767, 0, 32767]


@given(st.lists(st.integers(-32768, 32767), max_size=50))
@settings(deadline=None)
def test_pcm_survives_the_way_to_floats_and_back(codes: list[int]) -> None:
    pcm = np.array(codes, np.int16)
    assert np.array_equal(to_int16(pcm.astype(np.float32) / 32768), pcm)
