import keras
import numpy as np

from leakear.train import networks
from leakear.train.networks import compact
from leakear.train.networks.compact import LEVEL_SPEC, statistics
from leakear.train.training import pooled_windows, pretraining
from leakear.train.training.pooled_windows import PooledWindows
from leakear.train.training.pretraining import FitOptions

ROWS, FRAMES = LEVEL_SPEC.shape


def window(
    level_db: float, *, hz: tuple[float, float] = (20, 1800), seconds: tuple[float, float] = (0, 10)
) -> np.ndarray:
    """Return codes of a window that is silent except in one band and time, which has this level."""
    codes = np.zeros((ROWS, FRAMES), np.uint8)
    rows = (LEVEL_SPEC.frequencies >= hz[0]) & (LEVEL_SPEC.frequencies <= hz[1])
    frames = slice(*(round(t * FRAMES / 10) for t in seconds))
    codes[rows, frames] = round((level_db + 120) / 120 * 255)
    return codes


def logit(model: keras.Model, codes: np.ndarray) -> float:
    return float(model(codes[None, ..., None].astype(np.float32) / 255)[0, 0])


def test_the_untrained_network_is_the_lowest_level_over_time() -> None:
    model = statistics(LEVEL_SPEC.shape)
    assert abs(logit(model, window(-50))) < 0.1
    assert abs(logit(model, window(-30)) - 5) < 0.1, "2.5 units for 10 dB"
    steady = logit(model, window(-40))
    pause = window(-40)
    pause[:, 200:260] = 0
    assert logit(model, pause) < steady - 5, "a second of silence means no continuous flow"
    assert logit(model, window(-20, seconds=(4, 4.3))) < -7, "a knock is short"


def test_rumble_and_tones_count_less_than_flow() -> None:
    model = statistics(LEVEL_SPEC.shape)
    assert logit(model, window(-20, hz=(20, 150))) < logit(model, window(-40, hz=(700, 1200)))
    tone = window(-20, hz=(748, 752))
    assert tone.any()
    assert logit(model, tone) < logit(model, window(-50, hz=(700, 1200)))


def test_pooled_frames_give_the_same_logit_as_the_whole_network() -> None:
    model = statistics(LEVEL_SPEC.shape)
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
    """Return windows of quiet noise in which leaks are loud between 700 and 1200 Hz."""
    rng = np.random.default_rng(seed)
    targets = np.arange(count, dtype=np.uint8) % 2
    levels = rng.normal(0.25, 0.03, (count, ROWS, FRAMES // compact.STEP))
    loud = (LEVEL_SPEC.frequencies > 700) & (LEVEL_SPEC.frequencies < 1200)
    levels[:, loud] += 0.3 * targets[:, None, None]
    return PooledWindows(levels.astype(np.float16), targets, np.arange(count) % sites)


def test_the_branch_learns_from_simulated_sites_and_shrinks_on_recordings() -> None:
    options = FitOptions(pretrain_epochs=12, steps=30, batch=16, shrinkage=50.0)
    simulated, real = _windows(0, 96, 12), _windows(1, 24, 6)
    model = statistics(LEVEL_SPEC.shape)
    before = pretraining.logits(model, real.frames)
    pretraining.pretrain(model, simulated, options, LEVEL_SPEC)
    assert _loss(model, simulated) < 0.5 * _loss(statistics(LEVEL_SPEC.shape), simulated)
    away = np.abs(pretraining.logits(model, real.frames) - before).mean()
    learner = pretraining._Learner(model, options.shrinkage, frozen=True)
    learner.learn(pretraining.mixed(real, simulated, options, LEVEL_SPEC), options.steps, options.learning_rate, "")
    assert np.abs(pretraining.logits(model, real.frames) - before).mean() < away, (
        "fitting to recordings shrinks the branch"
    )


def _loss(model: keras.Model, windows: PooledWindows) -> float:
    logits = pretraining.logits(model, windows.frames)
    return float(np.mean(np.logaddexp(0, logits) - logits * windows.targets))


def test_every_site_has_equal_weight_for_any_number_of_recordings() -> None:
    targets = np.array([0] * 15 + [1] * 3, np.uint8)
    sites = np.array([0] * 14 + [1] + [2, 3, 4])
    weights = pooled_windows.site_weights(targets, sites)
    assert np.isclose(weights[:14].sum(), weights[14])
    assert np.isclose(weights[targets == 0].sum(), weights[targets == 1].sum())
