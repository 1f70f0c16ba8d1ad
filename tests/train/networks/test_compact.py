from dataclasses import replace

import keras
import numpy as np
import pytest

from leakear.edge.spectrogram import spectrogram
from leakear.train import networks
from leakear.train.data.clips import encode
from leakear.train.networks import compact
from leakear.train.networks.compact import SPEC, statistics
from leakear.train.training import pooled_windows, pretraining
from leakear.train.training.pooled_windows import PooledWindows
from leakear.train.training.pretraining import FitOptions

ROWS, FRAMES = SPEC.shape


TIME = np.arange(SPEC.window_samples) / SPEC.sample_rate


def noise(seed: int, hz: tuple[float, float], db: float = -30.0) -> np.ndarray:
    """Return steady noise in one band above a quiet floor, shape (window_samples,)."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(len(TIME)))
    place = np.fft.rfftfreq(len(TIME), 1 / SPEC.sample_rate)
    sound = np.fft.irfft(np.where((place >= hz[0]) & (place <= hz[1]), spectrum, 1e-3 * spectrum), len(TIME))
    return np.asarray(sound / sound.std() * 10 ** (db / 20))


def logit(model: keras.Model, sound: np.ndarray) -> float:
    codes = encode(spectrogram(sound.astype(np.float32), SPEC), SPEC)
    return float(model(codes[None, ..., None].astype(np.float32) / 255)[0, 0])


def test_the_untrained_network_prefers_steady_sound_at_high_frequencies() -> None:
    model = statistics(SPEC.shape)
    flow = noise(0, (300, 1400))
    assert logit(model, flow) > 1
    assert logit(model, noise(1, (20, 120))) < logit(model, flow) - 2, "rumble"
    gusty = flow * (1 + 0.9 * np.sin(2 * np.pi * 0.5 * TIME))
    assert logit(model, gusty) < logit(model, flow) - 2, "a sound that comes and goes"
    assert logit(model, np.zeros(len(TIME))) < -3, "silence"


@pytest.mark.parametrize("gain_db", [-30, -10, 12])
def test_the_gain_does_not_change_the_logit(gain_db: float) -> None:
    model = statistics(SPEC.shape)
    for sound in (noise(2, (300, 1400)), noise(3, (20, 120))):
        assert abs(logit(model, sound * 10 ** (gain_db / 20)) - logit(model, sound)) < 0.05


def test_pooled_frames_give_the_same_logit_as_the_whole_network() -> None:
    model = statistics(SPEC.shape)
    codes = np.random.default_rng(0).integers(0, 256, (3, ROWS, FRAMES), np.uint8)
    whole = model(codes[..., None].astype(np.float32) / 255).numpy()[:, 0]
    assert np.abs(pretraining.logits(model, pooled_windows.pool(codes)) - whole).max() < 0.02


def test_every_compact_network_meets_the_budgets_of_a_node() -> None:
    for name in ("compact", "strided", "pooled"):
        model = networks.find(name).network()
        assert model.count_params() < 100_000, name  # 150 KiB as int8 with its graph
        assert _operations(model) < 8.35e9 / 500, name


def _operations(model: keras.Model) -> float:
    """Multiply-accumulates of convolutions and dense layers."""
    total = 0
    for layer in model.layers:
        if layer.weights and "batch" not in layer.name:
            places = np.prod(layer.output.shape[1:-1])
            kernel = layer.weights[0].shape
            total += places * np.prod(kernel)
    return float(total)


def _windows(seed: int, count: int, sites: int) -> PooledWindows:
    """Return windows of quiet noise in which leaks are loud where the prior does not expect them."""
    rng = np.random.default_rng(seed)
    targets = np.arange(count, dtype=np.uint8) % 2
    levels = rng.normal(0.45, 0.03, (count, ROWS, FRAMES // compact.STEP))
    loud = (SPEC.frequencies > 100) & (SPEC.frequencies < 250)
    levels[:, loud] += 0.2 * targets[:, None, None]
    return PooledWindows(levels.astype(np.float16), targets, np.arange(count) % sites)


def test_the_branch_learns_from_simulated_sites_and_shrinks_on_recordings() -> None:
    options = FitOptions(pretrain_epochs=12, steps=30, batch=16, shrinkage=50.0)
    keras.utils.set_random_seed(options.seed)  # as whoever trains does
    simulated, real = _windows(0, 96, 12), _windows(1, 24, 6)
    sounds = replace(_windows(2, 24, 6), targets=np.zeros(24, np.uint8))
    model = statistics(SPEC.shape)
    before = pretraining.logits(model, real.frames)
    pretraining.pretrain(model, simulated, None, options, SPEC)
    assert _loss(model, simulated) < 0.97 * _loss(statistics(SPEC.shape), simulated), "changed windows teach slowly"
    away = np.abs(pretraining.logits(model, real.frames) - before).mean()
    learner = pretraining._Learner(model, options.shrinkage, frozen=True)
    learner.learn(pretraining.mixed(real, simulated, sounds, options, SPEC), options.steps, options.learning_rate, "")
    assert np.abs(pretraining.logits(model, real.frames) - before).mean() < away, (
        "fitting to recordings shrinks the branch"
    )


def test_background_sound_has_its_share_of_each_batch() -> None:
    simulated, real = _windows(0, 32, 4), _windows(1, 24, 6)
    sounds = replace(_windows(2, 24, 6), targets=np.zeros(24, np.uint8))
    options = FitOptions(steps=2, batch=16)
    for backgrounds in (None, sounds):
        x, targets, recorded = next(pretraining.mixed(real, simulated, backgrounds, options, SPEC))
        assert x.shape == (16, ROWS, FRAMES // compact.STEP, 1)
        assert recorded.tolist() == [1] * 8 + [0] * 8
        assert targets.shape == (16,)
    assert not targets[-4:].any()


def test_changed_windows_keep_their_own_mean_level() -> None:
    found = _windows(0, 16, 4).frames
    changed = pooled_windows.change(found, np.random.default_rng(0), SPEC, response_db=3.0)
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert np.abs(changed.mean(axis=(1, 2, 3)) - 0.5).max() < 0.03


def _loss(model: keras.Model, windows: PooledWindows) -> float:
    logits = pretraining.logits(model, windows.frames)
    return float(np.mean(np.logaddexp(0, logits) - logits * windows.targets))


def test_every_site_has_equal_weight_for_any_number_of_recordings() -> None:
    targets = np.array([0] * 15 + [1] * 3, np.uint8)
    sites = np.array([0] * 14 + [1] + [2, 3, 4])
    weights = pooled_windows.site_weights(targets, sites)
    assert np.isclose(weights[:14].sum(), weights[14])
    assert np.isclose(weights[targets == 0].sum(), weights[targets == 1].sum())
