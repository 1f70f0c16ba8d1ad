"""Adapting the last layers: the same network in another setting, the weights of recordings, the factory's weights."""

from pathlib import Path

import numpy as np
import pytest

from leakear.edge.errors import InputDataError
from leakear.edge.model.tflite import FACTORY, Model
from leakear.train import networks
from leakear.train.networks import factory
from leakear.train.networks.compact import SPEC
from leakear.train.training import pretraining
from leakear.train.training.adaptation import OWN, Lesson, adapt

FRAMES = SPEC.frames // 8


def lesson(count: int, seed: int = 0) -> Lesson:
    """Windows whose leaks are steadier than the rest, half of them a person's own."""
    rng = np.random.default_rng(seed)
    targets = np.tile(np.array([0, 1], np.uint8), count)
    level = rng.normal(0, 1, (2 * count, 1, FRAMES)) * np.where(targets == 1, 0.002, 0.05)[:, None, None]
    shape = 0.1 * np.sin(np.linspace(0, 6, SPEC.rows))[None, :, None] * targets[:, None, None]
    frames = 0.5 + level + shape + rng.normal(0, 0.01, (2 * count, SPEC.rows, FRAMES))
    own = (np.arange(2 * count) < count) | (targets == 1)
    return Lesson(frames.astype(np.float16), targets, np.arange(2 * count, dtype=np.int64), own)


def test_the_adapted_network_tells_its_windows_apart_and_keeps_its_convolutions() -> None:
    model = networks.find("compact").network()
    before = {layer.name: layer.get_weights() for layer in model.layers if layer.name not in ("prior", "branch")}
    taught = lesson(12)
    adapt(model, taught)
    unseen = lesson(12, seed=1)
    logits = pretraining.logits(model, unseen.frames)
    assert logits[unseen.targets == 1].min() > logits[unseen.targets == 0].max()
    for name, weights in before.items():
        for old, new in zip(weights, model.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)


def test_a_large_shrinkage_leaves_the_ranking_as_it_was() -> None:
    model = networks.find("compact").network()
    taught = lesson(6)
    before = pretraining.logits(model, taught.frames)
    adapt(model, taught, shrinkage=1e6)
    np.testing.assert_allclose(np.diff(pretraining.logits(model, taught.frames)), np.diff(before), atol=1e-2)


def test_recordings_share_the_weight_whatever_their_length_and_copies() -> None:
    targets = np.array([0, 1, 1, 1, 0, 0], np.uint8)  # the last two were made
    groups = np.array([0, 1, 1, 1, 2, 3])
    own = np.array([True, True, True, True, False, False])
    weights = Lesson(np.zeros((6, 1, 1), np.float16), targets, groups, own).weights
    np.testing.assert_allclose(weights.sum(), 1)
    assert weights[0] == pytest.approx(weights[1:4].sum())
    assert weights[4] == weights[5]
    assert weights[:4].sum() == pytest.approx(OWN)


def test_another_network_is_refused_in_one_sentence() -> None:
    with pytest.raises(InputDataError, match="only preset compact"):
        adapt(networks.find("pooled").network(), lesson(2))


def test_missing_factory_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match="run `make model`"):
        factory.load(tmp_path / "none.npz")


def test_the_float_weights_are_those_of_the_shipped_model() -> None:
    shipped = Model.load(FACTORY)
    if shipped.info.spec != SPEC:
        pytest.skip("the shipped model hears another spectrogram than preset compact: run `make model`")
    from leakear.edge.model import bundle

    read = bundle.read(FACTORY)
    theirs = read.golden_logits
    ours = factory.load()(read.golden_inputs[..., None].astype(np.float32) / 255, training=False).numpy()[:, 0]
    assert np.abs(ours - theirs).max() < 0.2 * max(1.0, np.ptp(theirs))
