"""The simulator: physics, seams, seeds, and that nothing but the leak tells a leak."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from leakear.train.simulator import Renderer, Scene, Site, clip, draw_scene
from leakear.train.simulator.jet import Jet, level_change_db
from leakear.train.simulator.machines import KINDS, Machine
from leakear.train.simulator.noise import NoiseStream
from leakear.train.simulator.pipe import Pipe
from leakear.train.simulator.render import LOUDEST_DBFS, Spectra
from leakear.train.simulator.tones import Tones
from leakear.train.simulator.units import BLOCK, FADE, HOP, RATE, dbfs, frequencies, power, scaled
from leakear.train.simulator.variation.variation import ANCHORS

QUIET = Site.draw(3)


def test_needs_neither_tensorflow_nor_scipy_signal() -> None:
    code = (
        "import sys, leakear.train.simulator.day\n"
        "bad = [m for m in ('tensorflow', 'keras', 'librosa', 'scipy.signal', 'matplotlib') if m in sys.modules]\n"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_jet_has_the_speed_and_corner_frequency_of_theory() -> None:
    jet = Jet(pressure_bar=3, hole_mm=2, slope=2)
    assert jet.speed == pytest.approx(24.5, abs=0.1)
    assert jet.corner_hz == pytest.approx(2450, abs=10)
    assert level_change_db(0.5) == pytest.approx(-9.03, abs=0.01)


def test_a_pipe_damps_high_frequencies_with_distance() -> None:
    for seed in range(50):
        pipe = Pipe.draw(np.random.default_rng(seed))
        near, far = (Pipe(pipe.material, pipe.loss, x, ()).gain(frequencies()) for x in (1.0, 20.0))
        assert far[-1] < near[-1] <= 1
        assert 4 * np.pi * 200 * pipe.loss * pipe.distance_m <= 1.001


def test_noise_has_the_given_spectrum_and_no_step() -> None:
    shape = scaled((1 / (1 + (frequencies() / 500) ** 2)).astype(np.float32), power(-30))
    stream = NoiseStream(5)
    samples = np.concatenate([stream.render(k, shape) for k in range(60)])
    assert dbfs(float(np.mean(samples**2))) == pytest.approx(-30, abs=0.3)
    around = samples.reshape(60, HOP)[:, :FADE]
    assert np.mean(around**2) == pytest.approx(np.mean(samples**2), rel=0.15)
    spectrum = np.mean(np.abs(np.fft.rfft(samples.reshape(-1, 4096), axis=1)) ** 2, axis=0)
    low, high = (spectrum[round(f * 4096 / RATE)] for f in (250, 4000))
    assert 10 * np.log10(low / high) == pytest.approx(10 * np.log10((1 + 64) / 1.25), abs=1.5)


def test_stretches_of_a_tone_join_without_a_step() -> None:
    tones = Tones(hz=430.0, amplitudes=(0.1, 0.05), wander_hz=0.2, period_s=7.0, phase=1.0)
    samples = np.concatenate([tones.render(k) for k in range(4)])
    assert np.abs(np.diff(samples)).max() < 2 * np.pi * 430 / RATE * 0.25
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum.argmax() * RATE / samples.size == pytest.approx(430, abs=0.6)


def test_stretches_are_equal_in_any_order() -> None:
    scene = replace(draw_scene(QUIET, np.random.default_rng(1), "Leak"), rain_dbfs=-40.0)
    stream = Renderer(QUIET, 9)
    streamed = [stream.render(k, scene) for k in range(5)]
    assert np.allclose(Renderer(QUIET, 9).render(4, scene)[FADE:], streamed[4][FADE:], atol=2 / 2**15)
    again = Renderer(QUIET, 9)
    assert all(np.array_equal(again.render(k, scene), streamed[k]) for k in range(5))


def test_a_renderer_continues_the_sound_of_the_day_before() -> None:
    scene = draw_scene(QUIET, np.random.default_rng(1), "Leak")
    whole, after = Renderer(QUIET, 9), Renderer(QUIET, 9, first=6)
    streamed = [whole.render(k, scene) for k in range(8)]
    assert np.array_equal(after.render(0, scene)[FADE:], streamed[6][FADE:])
    assert np.array_equal(after.render(1, scene), streamed[7])


def test_a_change_of_spectrum_keeps_the_level_in_the_sensors_band() -> None:
    spectra = Spectra(QUIET)
    where = QUIET.sensor.band(spectra.f)
    changed = spectra.coloured(tuple(np.linspace(-9, 9, ANCHORS).tolist()))
    assert changed[where].sum() == pytest.approx(float(spectra.ambient[where].sum()), rel=1e-3)
    assert changed[-100] / spectra.ambient[-100] > changed[100] / spectra.ambient[100]


def test_rain_rises_high_or_low() -> None:
    spectra = Spectra(next(site for site in map(Site.draw, range(50)) if site.sensor.kind == "microphone"))
    high, low = spectra.f > 6000, (spectra.f > 350) & (spectra.f < 3600)
    shares = [float(rain[low].sum() / rain[high].sum()) for rain in (spectra.rain(-15.0), spectra.rain(20.0))]
    assert shares[0] < 1 < shares[1]


def test_equal_seeds_give_equal_clips_and_other_seeds_others() -> None:
    first = clip(QUIET, "Leak", 4)
    assert first.dtype == np.float32
    assert first.shape == (220500,)
    assert np.abs(first).max() <= 1
    assert np.array_equal(first, clip(Site.draw(3), "Leak", 4))
    assert not np.array_equal(first, clip(QUIET, "Leak", 5))
    assert not np.array_equal(first, clip(Site.draw(4), "Leak", 4))


@pytest.mark.parametrize("snr_db", [0.0, 10.0])
def test_a_leak_has_its_signal_to_noise_ratio_in_the_sensors_band(snr_db: float) -> None:
    for seed in range(20):
        spectra = Spectra(Site.draw(seed))
        where = spectra.site.sensor.band(spectra.f)
        stationary = float(spectra.stationary[where].sum())
        assert float(spectra.leak[where].sum()) == pytest.approx(stationary, rel=1e-3)
        renderer = Renderer(spectra.site, 1)
        total = np.mean(
            [renderer.power(k, Scene(leak_db=snr_db)) - renderer.power(k, Scene()) for k in range(9)], axis=0
        )
        heard = 10 * np.log10(total[where].sum() / stationary)
        room = LOUDEST_DBFS - dbfs(float(spectra.leak.sum()))
        assert heard == pytest.approx(min(snr_db, room), abs=1.2)  # a leak swells by up to 1 dB


def test_other_sounds_are_equally_likely_with_and_without_a_leak() -> None:
    scenes = {
        label: [draw_scene(QUIET, np.random.default_rng(k), label) for k in range(50)] for label in ("Leak", "NoLeak")
    }
    for with_leak, without in zip(scenes["Leak"], scenes["NoLeak"], strict=True):
        assert replace(with_leak, leak_db=None) == without


def test_a_loggers_band_limits_every_sound() -> None:
    """Energy above a sensor's band would tell where a sound came from."""
    site = next(s for s in map(Site.draw, range(100)) if s.sensor.kind == "logger")
    site = replace(site, sensor=replace(site.sensor, emi_per_hour=0.0))
    for label in ("Leak", "NoLeak", "Use"):
        spectrum = np.abs(np.fft.rfft(clip(site, label, 2) * np.hanning(220500))) ** 2
        hz = np.fft.rfftfreq(220500, 1 / RATE)
        assert 10 * np.log10(spectrum[hz > 4000].sum() / spectrum[hz < 2000].sum()) < -50


def test_every_machine_has_its_level() -> None:
    for k, kind in enumerate(KINDS):
        machine = Machine.draw(np.random.default_rng(k), kind, -30.0, 50.0)
        noise = float(machine.noise(frequencies()).sum())
        assert dbfs(noise + sum(t.mean_square for t in machine.tones)) == pytest.approx(-30, abs=5)


def test_a_dropout_is_digital_silence() -> None:
    assert not Renderer(QUIET, 1).render(3, Scene(dropout=True)).any()
    assert BLOCK == HOP + FADE
