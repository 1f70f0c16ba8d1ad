"""Hostile sound: whatever the bytes and the samples, no crash, and no score from a faulty window."""

import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.audio.recordings import read_blocks
from leakear.edge.decision.state_machine import DecisionRule
from leakear.edge.errors import InputDataError
from leakear.edge.health.monitor import HealthOptions
from leakear.edge.pipeline import Pipeline
from leakear.edge.spectrogram import Decibels, SpectrogramSpec
from leakear.edge.windows import WindowOptions

SMALL = SpectrogramSpec(sample_rate=4000, window_seconds=0.5, n_fft=256, hop_length=64, reference="full-scale")
RULE = DecisionRule(span_s=4, confirm_s=2, clear_s=4, noisy_s=4)
NOISE = (np.random.default_rng(0).standard_normal(4000) * 0.1).astype(np.float32)


class Strict:
    """A scorer that fails at anything that is not a sane spectrogram."""

    def score(self, spectrogram: Decibels) -> float:
        assert np.isfinite(spectrogram).all()
        assert spectrogram.min() >= SMALL.floor
        assert spectrogram.max() <= 0
        return float(spectrogram.mean() > -80)


def wav_bytes() -> bytes:
    path = Path(tempfile.mkdtemp()) / "seed.wav"
    soundfile.write(path, NOISE, 8000)
    data = path.read_bytes()
    path.unlink()
    path.parent.rmdir()
    return data


SEED = wav_bytes()


@st.composite
def wavs(draw: st.DrawFn) -> bytes:
    """A real WAV cut anywhere, with bytes of its header or body replaced, or no WAV at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=400))
    data = bytearray(SEED[: draw(st.integers(0, len(SEED)))] if draw(st.booleans()) else SEED)
    for _ in range(draw(st.integers(0, 6))):
        if data:
            at = draw(st.integers(0, min(60, len(data) - 1)) | st.integers(0, len(data) - 1))
            data[at] = draw(st.integers(0, 255))
    return bytes(data) + draw(st.binary(max_size=8))


FOLDER = Path(tempfile.mkdtemp(prefix="leakear-fuzz-"))


def check_wav(data: bytes) -> None:
    path = FOLDER / "fuzz.wav"
    path.write_bytes(data)
    try:
        for block in read_blocks(path, SMALL):
            assert block.samples.dtype == np.float32
            assert np.isfinite(block.samples).all()
    except InputDataError as error:
        assert str(path) in str(error)  # noqa: PT017 - some files are fine


POISON = [np.nan, np.inf, -np.inf, 1e-42, 1e38, -1e38, 0.0, 1.0, -1.0, 40.0]


@st.composite
def streams(draw: st.DrawFn) -> list[Any]:
    """Blocks of any size with steps, poison, gaps and jumps backwards; faults between them."""
    items: list[Any] = []
    position = 0
    for _ in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from(["sound", "sound", "sound", "poison", "step", "constant", "gap", "fault"]))
        at = position / SMALL.sample_rate
        if kind == "fault":
            items.append(SensorFault("no_frames", "unplugged", at, at))
            continue
        if kind == "gap":
            position = max(0, position + draw(st.integers(-5000, 20000)))
        n = draw(st.integers(1, 4500))
        samples = np.resize(NOISE, n) * np.float32(draw(st.sampled_from([1e-30, 1e-4, 1, 5, 1e6])))
        items.append(Block(position, altered(samples, kind, draw), at, at))
        position += n
    return items


def altered(samples: NDArray[np.float32], kind: str, draw: st.DrawFn) -> NDArray[np.float32]:
    if kind == "poison":
        samples[draw(st.integers(0, len(samples) - 1)) :: draw(st.integers(1, 999))] = draw(st.sampled_from(POISON))
    elif kind == "step":
        samples[draw(st.integers(0, len(samples) - 1)) :] += np.float32(draw(st.floats(-2, 2)))
    elif kind == "constant":
        samples[:] = draw(st.sampled_from(POISON))
    return samples


def check_stream(items: list[Any]) -> None:
    node = Pipeline(Strict(), SMALL, RULE, WindowOptions(step_s=0.5), HealthOptions())
    with np.errstate(all="ignore"):
        for item in items:
            for result in node.push(item):
                assert result.score is None or (result.health is not None and result.health.audible)
                if result.window is not None and not np.isfinite(result.window.samples).all():
                    assert result.health is not None
                    assert result.health.faults == ("nan",)
    windower = node.windower
    assert windower.produced == node.scored + node.discarded + windower.dropped


QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck))


@given(wavs())
@settings(QUIET, max_examples=150)
def test_any_bytes_are_read_or_refused_by_name(data: bytes) -> None:
    check_wav(data)


@given(streams())
@settings(QUIET, max_examples=150)
def test_any_samples_pass_without_a_score_from_a_faulty_window(items: list[Any]) -> None:
    check_stream(items)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@given(wavs())
@settings(QUIET, max_examples=6000)
def test_six_thousand_files(data: bytes) -> None:
    check_wav(data)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@given(streams())
@settings(QUIET, max_examples=6000)
def test_six_thousand_streams(items: list[Any]) -> None:
    check_stream(items)


def test_denormals_are_quiet_and_not_a_fault_of_arithmetic() -> None:
    tiny = struct.unpack("<f", b"\x01\x00\x00\x00")[0]
    check_stream([Block(0, np.full(4000, tiny, np.float32), 0.0, 0.0)])
