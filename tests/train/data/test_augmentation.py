from pathlib import Path

import numpy as np
import pytest

from leakear.edge.errors import InputDataError
from leakear.edge.spectrogram import SpectrogramSpec, spectrogram
from leakear.train.data import augmentation
from leakear.train.data.augmentation import AUGMENTATIONS, NOTEBOOK, Scene, backgrounds, loop
from tests.support.sounds import RATE, SMALL, record

SCENE = Scene(SMALL, RATE)


def tone(hz: float, seconds: float = 4.0, amplitude: float = 0.1) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def peak_hz(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * RATE / len(samples))


def test_the_notebooks_augmentations_equal_librosas() -> None:
    rng, quiet = np.random.default_rng(1), tone(400, amplitude=0.0)
    assert NOTEBOOK == ("noise", "stretch", "pitch", "roll")
    assert np.std(augmentation.add_noise(quiet, rng, SCENE)) == pytest.approx(0.005, rel=0.05)
    stretched = augmentation.time_stretch(tone(400), rng, SCENE)
    assert len(stretched) == pytest.approx(5.0 * RATE, rel=0.01)
    assert peak_hz(stretched) == pytest.approx(400, abs=5)
    assert peak_hz(augmentation.pitch_shift(tone(400), rng, SCENE)) == pytest.approx(400 * 2 ** (4 / 12), abs=5)
    ramp = np.arange(1000, dtype=np.float32)
    shifts = [int(augmentation.roll(ramp, np.random.default_rng(seed), SCENE)[0]) for seed in range(50)]
    assert len(set(shifts)) > 20
    assert all(s <= 200 or s >= 800 for s in shifts)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_copies_are_reproducible_finite_and_different(name: str) -> None:
    samples = 0.1 * np.random.default_rng(5).standard_normal(RATE, dtype=np.float32)
    first, again = (augmentation.augment(samples, name, np.random.default_rng(7), SCENE) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert len(first) != len(samples) or np.abs(first - samples).max() > 1e-3


def test_mixing_has_its_signal_to_noise_ratio_at_any_level() -> None:
    for level in (0.2, 0.0002):
        signal = level * np.random.default_rng(1).standard_normal(4 * RATE, dtype=np.float32)
        ratios = []
        for seed in range(20):
            added = augmentation.mix(signal, np.random.default_rng(seed), SCENE) - signal
            ratios.append(10 * np.log10(np.var(signal) / np.var(added)))
        low, high = augmentation.SNR_DB
        assert low - 0.5 < min(ratios) < max(ratios) < high + 0.5
        assert max(ratios) - min(ratios) > 8


def test_mixed_in_sound_has_the_recordings_bandwidth(tmp_path: Path) -> None:
    """Else a network would tell 4 kHz loggers from microphones by what lies above 2 kHz."""
    record(tmp_path / "rain.wav", leak=True, seconds=2, rate=22050)
    spec = SpectrogramSpec()
    scene = Scene(spec, 4096, backgrounds(tmp_path))
    silent = np.full(spec.window_samples, 1e-9, np.float32)
    silent[::2] *= -1
    added = augmentation.augment(silent, "mix", np.random.default_rng(3), scene) - silent
    loud = added / np.abs(added).max()
    rows = spectrogram(loud.astype(np.float32), spec).mean(axis=1)
    assert rows[spec.frequencies > 2200].max() < rows[(spec.frequencies > 300) & (spec.frequencies < 1800)].min() - 20


def test_running_water_is_never_mixed_in(tmp_path: Path) -> None:
    for name in ("running_tap", "doing_the_dishes", "rain"):
        record(tmp_path / f"{name}.wav", leak=True)
    assert [path.stem for path in backgrounds(tmp_path)] == ["rain"]
    with pytest.raises(InputDataError, match="no background sound"):
        backgrounds(tmp_path / "none")


def test_a_loop_has_no_step() -> None:
    """A jump between the end and the beginning would be a click; cross-faded there is none."""
    rng = np.random.default_rng(2)
    walk = np.cumsum(rng.standard_normal(2000)).astype(np.float32)
    usual = np.abs(np.diff(walk)).max()
    walk[-1] += 0
    assert abs(walk[0] - walk[-1]) > 4 * usual, "the test's own sound has no jump"
    looped = loop(walk, 9000, 123, 200)
    assert len(looped) == 9000
    assert np.abs(np.diff(looped)).max() < 2 * usual
    short = loop(np.array([0.5], np.float32), 3, 0, 10)
    np.testing.assert_array_equal(short, np.full(3, 0.5, np.float32))


def test_several_augmentations_are_applied_in_turn_and_unknown_ones_refused() -> None:
    samples = tone(300)
    rng = np.random.default_rng(4)
    expected = augmentation.gain(augmentation.shift(samples, rng, SCENE), rng, SCENE)
    np.testing.assert_array_equal(
        augmentation.augment(samples, "shift+gain", np.random.default_rng(4), SCENE), expected
    )
    with pytest.raises(ValueError, match="unknown augmentation 'echo'"):
        augmentation.augment(samples, "shift+echo", rng, SCENE)
