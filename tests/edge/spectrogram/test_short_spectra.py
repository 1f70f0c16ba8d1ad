"""Short spectra: computed once a window, for health and third octaves."""

import numpy as np
import pytest

from leakear.edge.spec import SpectrogramSpec
from leakear.edge.spectrogram.short_spectra import SPECTRA, short_powers

SPEC = SpectrogramSpec()


def test_a_full_scale_sine_has_the_power_one_in_its_bin() -> None:
    at = 200
    time = np.arange(SPEC.window_samples) / SPEC.sample_rate
    sine = np.sin(2 * np.pi * at * SPEC.sample_rate / SPEC.n_fft * time) + 0.3
    powers = short_powers(sine.astype(np.float32), SPEC)
    assert powers.shape == (SPECTRA, SPEC.bins)
    assert powers.dtype == np.float32
    assert powers[:, at] == pytest.approx(1, abs=0.01)
    assert powers[:, 0].max() < 1e-6, "the mean is removed"


def test_values_that_are_no_numbers_raise_nothing() -> None:
    samples = np.zeros(SPEC.window_samples, np.float32)
    samples[5], samples[9] = np.nan, np.inf
    assert np.isnan(short_powers(samples, SPEC)).any()
