"""The lean transform is scipy's, bit for bit, and spares the node what scipy.fft imports."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.fft

from leakear.edge.spectrogram import fourier

RNG = np.random.default_rng(2)


@pytest.mark.parametrize("shape", [(4096,), (32, 4096), (27000,), (3, 17)])
def test_it_is_scipys_transform(shape: tuple[int, ...]) -> None:
    x = RNG.standard_normal(shape).astype(np.float32)
    ours = fourier.rfft(x)
    assert ours.dtype == np.complex64
    assert np.array_equal(ours, scipy.fft.rfft(x, axis=-1))


def test_strided_input_is_read_rightly() -> None:
    framed = np.lib.stride_tricks.sliding_window_view(RNG.standard_normal(9000).astype(np.float32), 4096)[::512]
    assert np.array_equal(fourier.rfft(framed), scipy.fft.rfft(framed, axis=-1))


@pytest.mark.parametrize("shape", [(2049,), (32, 2049)])
def test_squared_is_the_sum_of_the_squares_of_both_parts(shape: tuple[int, ...]) -> None:
    spectrum = (RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)).astype(np.complex64)
    band = spectrum[..., 4:335]
    wanted = band.real * band.real + band.imag * band.imag
    assert np.array_equal(fourier.squared(band), wanted)
    out = np.empty_like(wanted)
    assert fourier.squared(band, out=out) is out
    assert np.array_equal(out, wanted)


def test_fast_lengths_are_scipys() -> None:
    for n in (5, 27562, 27000, 220500):
        assert fourier.prev_fast_len(n) == scipy.fft.prev_fast_len(n, real=True)


def test_without_the_compiled_module_the_public_one_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fourier, "_COMPILED", None)
    x = RNG.standard_normal((2, 512)).astype(np.float32)
    assert np.array_equal(fourier.rfft(x), scipy.fft.rfft(x))
    assert fourier.prev_fast_len(27562) == scipy.fft.prev_fast_len(27562, real=True)


@pytest.mark.parametrize(("folder", "name"), fourier.LAYOUTS)
def test_each_layout_of_scipy_is_known(tmp_path: Path, folder: str, name: str) -> None:
    here = Path(scipy.__file__).parent / "fft" / folder
    if not here.is_dir():
        pytest.skip(f"scipy {scipy.__version__} has no fft/{folder}")
    (tmp_path / "fft").mkdir()
    (tmp_path / "fft" / folder).symlink_to(here)
    module = fourier.compiled_transform(tmp_path)
    assert module is not None
    assert module.__name__ == name
    x = RNG.standard_normal((2, 512)).astype(np.float32)
    assert np.array_equal(module.r2c(x, (1,), True, 0, None, 1), scipy.fft.rfft(x))


def test_an_unknown_layout_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert fourier.compiled_transform(tmp_path) is None
    assert [record.message for record in caplog.records if "scipy.fft is imported" in record.message]


def test_this_scipy_needs_no_fallback() -> None:
    assert fourier._COMPILED is not None


def test_a_score_needs_no_more_of_scipy() -> None:
    code = (
        "import sys, numpy as np; from leakear.edge.spectrogram import SpectrogramSpec, spectrogram;"
        "s = SpectrogramSpec(); spectrogram(np.zeros(s.window_samples, np.float32) + 0.1, s);"
        "from leakear.edge import health; from leakear.edge.spectrogram.fourier import _COMPILED;"
        "assert _COMPILED is not None;"
        "print([m for m in ('scipy.fft', 'scipy.special', 'numpy.f2py') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
