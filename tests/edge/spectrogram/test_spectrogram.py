"""The spectrogram equals librosa's, and the incremental one equals the whole."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from leakear.edge.spectrogram import IncrementalSpectrogram, SpectrogramSpec, spectrogram

librosa = pytest.importorskip("librosa")

RATE, COUNT = 22050, 220500
RNG = np.random.default_rng(7)
TIME = np.arange(COUNT) / RATE


def sounds() -> dict[str, np.ndarray]:
    click = np.zeros(COUNT)
    click[100000:100020] = 0.9
    return {
        "noise": 0.1 * RNG.standard_normal(COUNT),
        "quiet noise": 1e-4 * RNG.standard_normal(COUNT),
        "tones": 0.5 * np.sin(2 * np.pi * 997 * TIME) + 0.01 * np.sin(2 * np.pi * 5011.3 * TIME),
        "click": click + 1e-3 * RNG.standard_normal(COUNT),
        "hum over hiss": 0.35 * np.sin(2 * np.pi * 120 * TIME) + 1e-3 * RNG.standard_normal(COUNT),
    }


def librosa_db(samples: np.ndarray) -> np.ndarray:
    return librosa.amplitude_to_db(np.abs(librosa.stft(samples, n_fft=4096, hop_length=512)), ref=np.max)


@pytest.mark.parametrize("name", sounds())
def test_equals_librosa(name: str) -> None:
    samples = sounds()[name].astype(np.float32)
    ours = spectrogram(samples, SpectrogramSpec(reference="max"))
    assert ours.shape == (2049, 431)
    assert ours.dtype == np.float32
    assert np.abs(ours - librosa_db(samples)).max() < 0.01


def test_equals_librosa_on_a_real_recording(hk: Path) -> None:
    samples, _ = librosa.load(hk / "Leak-Metal" / "003_05593-20180927.wav", sr=RATE)
    samples = samples[:COUNT]
    assert np.abs(spectrogram(samples, SpectrogramSpec()) - librosa_db(samples)).max() < 0.01


def test_full_scale_keeps_the_level() -> None:
    spec = SpectrogramSpec(reference="full-scale")
    sine = np.sin(2 * np.pi * (186 * RATE / 4096) * TIME).astype(np.float32)
    loud, quiet = (spectrogram(np.float32(gain) * sine, spec) for gain in (1.0, 0.01))
    assert loud[186, 200] == pytest.approx(0, abs=0.01)
    assert quiet[186, 200] == pytest.approx(-40, abs=0.01)
    assert loud.min() >= spec.floor == -120


@pytest.mark.parametrize("gain_db", [-30, -10, 12])
@pytest.mark.parametrize(
    "name", sorted(sounds().keys() - {"quiet noise", "tones", "hum over hiss"})
)  # mostly rounding errors
def test_a_windows_own_level_as_reference_takes_the_gain_away(name: str, gain_db: float) -> None:
    spec = SpectrogramSpec(reference="own", band_hz=(20, 1800))
    samples = sounds()[name].astype(np.float32)
    plain = spectrogram(samples, spec)
    louder = spectrogram(samples * np.float32(10 ** (gain_db / 20)), spec)
    audible = plain > -75  # below, clean sounds are rounding errors
    assert np.abs(plain - louder)[audible].max() < 0.05
    assert spec.floor == -80
    assert plain.max() <= 0


def test_with_the_own_reference_the_mean_level_is_40_db_below_0() -> None:
    spec = SpectrogramSpec(reference="own", band_hz=(20, 1800))
    assert spectrogram(sounds()["noise"].astype(np.float32), spec).mean() == pytest.approx(-40, abs=0.01)


@pytest.mark.parametrize("reference", ["max", "full-scale", "own"])
@pytest.mark.parametrize("level", [0.0, 1e-30, 1e-8, 1e-7])
def test_silence_is_the_floor_everywhere(reference: str, level: float) -> None:
    spec = SpectrogramSpec(reference=reference)  # type: ignore[arg-type]
    samples = (level * RNG.standard_normal(COUNT)).astype(np.float32)
    assert (spectrogram(samples, spec) == spec.floor).all()


def test_a_window_of_16_bit_dither_is_not_silence() -> None:
    dither = (RNG.integers(-1, 2, COUNT) / 32768).astype(np.float32)
    assert spectrogram(dither, SpectrogramSpec()).max() == 0


def test_band_keeps_its_rows_only() -> None:
    spec = SpectrogramSpec(reference="full-scale", band_hz=(20, 1800))
    whole = SpectrogramSpec(reference="full-scale")
    samples = sounds()["noise"].astype(np.float32)
    assert spec.frequencies[0] >= 20
    assert spec.frequencies[-1] <= 1800
    assert spec.shape == (331, 431)
    np.testing.assert_array_equal(spectrogram(samples, spec), spectrogram(samples, whole)[spec.band])


@pytest.mark.parametrize("reference", ["max", "full-scale", "own"])
@pytest.mark.parametrize("step", [22016, 512, 43 * 512 * 3, 22050, 220500, 5])
def test_incremental_equals_whole(reference: str, step: int) -> None:
    spec = SpectrogramSpec(reference=reference)  # type: ignore[arg-type]
    stream = (0.02 * RNG.standard_normal(COUNT + 4 * step)).astype(np.float32)
    stream[COUNT // 2 :] += 0.3 * np.sin(0.05 * np.arange(len(stream) - COUNT // 2)).astype(np.float32)
    incremental = IncrementalSpectrogram(spec)
    for position in range(4):
        window = stream[position * step : position * step + COUNT]
        got = incremental.update(window, step if position else None)
        assert np.abs(got - spectrogram(window, spec)).max() < 1e-4


def test_incremental_starts_anew_after_a_gap() -> None:
    spec = SpectrogramSpec()
    incremental = IncrementalSpectrogram(spec)
    for samples in (RNG.standard_normal((2, COUNT)) * 0.1).astype(np.float32):
        np.testing.assert_allclose(incremental.update(samples, None), spectrogram(samples, spec), atol=1e-4)


def test_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="220500"):
        spectrogram(np.zeros(10, np.float32), SpectrogramSpec())


@pytest.mark.parametrize(
    "fields",
    [
        {"reference": "mean"},
        {"hop_length": 0},
        {"n_fft": 4095},
        {"band_hz": (900, 100)},
        {"floor_db": 3.0},
        {"colour": "blue"},
    ],
)
def test_impossible_specs_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        SpectrogramSpec.from_json(fields)


def test_spec_survives_json() -> None:
    spec = SpectrogramSpec(reference="full-scale", band_hz=(20, 1800))
    assert SpectrogramSpec.from_json(spec.to_json()) == spec
    assert [b - a for a, b in pairwise(spec.frequencies[:3])] == pytest.approx([RATE / 4096] * 2)
