import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leakear.edge.errors import InputDataError
from leakear.train.data import batches, features
from leakear.train.data.clips import Recipe
from leakear.train.data.dataset import Recording
from leakear.train.data.features import FeatureSet
from leakear.train.training.distributed import Cluster, join, task
from leakear.train.training.trainer import Schedule, predict, train
from tests.support.sounds import SMALL

SCHEDULE = Schedule(epochs=4, batch_size=16, learning_rate=3e-3, cosine=True, mixup=0.2, balance=True, seed=5)


@pytest.fixture
def both(recordings: list[Recording], tmp_path: Path) -> tuple[FeatureSet, FeatureSet]:
    everything = features.build(recordings, Recipe(SMALL), tmp_path / "cache", jobs=1)
    held = [r for r in recordings if r.fold == 0]
    return everything.of([r for r in recordings if r.fold != 0]), everything.of(held)


def network() -> Any:
    import keras
    from keras import layers

    return keras.Sequential([
        keras.Input((*SMALL.shape, 1)), layers.Conv2D(4, 5, strides=4, activation="relu"),
        layers.BatchNormalization(momentum=0.5), layers.Flatten(), layers.Dropout(0.2), layers.Dense(1),
    ])  # fmt: skip


class StopError(Exception):
    """The power fails."""


def losses(history: list[dict[str, float]]) -> np.ndarray:
    return np.array([[entry["loss"], entry["val_loss"]] for entry in history])


def test_training_learns_and_equal_seeds_give_equal_networks(both: tuple[FeatureSet, FeatureSet]) -> None:
    runs = [train(network, *both, dataclasses.replace(SCHEDULE, seed=s), join(), quiet=True) for s in (5, 5, 6)]
    first, again, other = (losses(run.history) for run in runs)
    assert first[-1, 0] < first[0, 0]
    np.testing.assert_allclose(again, first, rtol=1e-4)
    assert np.abs(other - first).max() > 1e-3
    logits = predict(runs[0].model, both[1])
    assert ((logits > 0) == both[1].targets).mean() > 0.9, "positive means Leak"


def test_a_continued_training_equals_an_uninterrupted_one(both: tuple[FeatureSet, FeatureSet], tmp_path: Path) -> None:
    whole = train(network, *both, SCHEDULE, join(), quiet=True)

    def fail(epoch: int, _entry: object) -> None:
        if epoch == 2:
            raise StopError

    with pytest.raises(StopError):
        train(network, *both, SCHEDULE, join(), folder=tmp_path, signature="a", on_epoch=fail, quiet=True)
    seen: list[int] = []
    resumed = train(
        network, *both, SCHEDULE, join(), folder=tmp_path, signature="a",
        on_epoch=lambda epoch, _entry: seen.append(epoch), quiet=True,
    )  # fmt: skip
    assert seen == [2, 3], "epochs 0 and 1 were kept"
    np.testing.assert_allclose(losses(resumed.history), losses(whole.history), rtol=1e-4)
    np.testing.assert_allclose(predict(resumed.model, both[1]), predict(whole.model, both[1]), atol=1e-3)


def test_a_checkpoint_of_another_run_is_refused(both: tuple[FeatureSet, FeatureSet], tmp_path: Path) -> None:
    short = dataclasses.replace(SCHEDULE, epochs=1)
    train(network, *both, short, join(), folder=tmp_path, signature="a", quiet=True)
    with pytest.raises(InputDataError, match="other recordings or options"):
        train(network, *both, short, join(), folder=tmp_path, signature="b", quiet=True)
    (tmp_path / "checkpoint.npz").write_bytes(b"PK damaged")
    with pytest.raises(InputDataError, match="damaged"):
        train(network, *both, short, join(), folder=tmp_path, signature="a", quiet=True)


def test_patience_ends_training_and_restores_the_best_epoch(
    both: tuple[FeatureSet, FeatureSet], tmp_path: Path
) -> None:
    wild = Schedule(epochs=12, batch_size=8, learning_rate=0.3, patience=2, seed=1)
    done = train(network, *both, wild, join(), folder=tmp_path, signature="a", quiet=True)
    judged = [entry["val_loss"] for entry in done.history]
    assert done.epoch == int(np.argmin(judged))
    assert len(judged) == min(12, done.epoch + 3)
    logits = predict(done.model, both[1]).astype(np.float64)
    loss = np.mean(np.logaddexp(0, logits) - logits * both[1].targets)
    assert loss == pytest.approx(min(judged), rel=1e-3)
    resumed = train(network, *both, wild, join(), folder=tmp_path, signature="a", quiet=True)  # nothing is left to do
    np.testing.assert_allclose(predict(resumed.model, both[1]), logits, rtol=1e-4, atol=1e-4)


def test_each_epoch_has_every_window_once_in_another_order() -> None:
    first, second = (batches.order(103, 16, 1, epoch) for epoch in (0, 1))
    for epoch in (first, second):
        assert sorted(np.concatenate(epoch).tolist()) == list(range(103))
        assert [len(batch) for batch in epoch] == [16] * 6 + [7]
    assert not np.array_equal(first[0], second[0])
    assert sum(len(batch) for batch in batches.order(103, 16, 1, 0, replicas=2)) == 102


def test_workers_share_each_batch(both: tuple[FeatureSet, FeatureSet]) -> None:
    training, _ = both
    plan = batches.order(len(training), 16, 1, 0, 2)
    even = batches.class_weights(training.targets, balance=True)
    parts = [list(batches.stream(training, plan, even, 2, range(k, k + 1))) for k in (0, 1)]
    (whole,) = [list(batches.stream(training, plan, even, 1, range(1)))]
    assert len(whole) == len(plan) > 1
    for (codes, targets, weights), *halves in zip(whole, *parts, strict=True):
        assert sum(len(half[0]) for half in halves) == len(codes)
        assert sum(half[0].sum(dtype=np.int64) for half in halves) == codes.sum(dtype=np.int64)
        assert sum(half[2].sum() for half in halves) == pytest.approx(weights.sum())
        assert sum(half[1].sum() for half in halves) == targets.sum()


def test_balance_gives_both_classes_equal_weight() -> None:
    targets = np.array([0, 0, 0, 1], np.uint8)
    weights = batches.class_weights(targets, balance=True)[targets]
    assert weights[targets == 0].sum() == pytest.approx(weights[targets == 1].sum())
    np.testing.assert_array_equal(batches.class_weights(targets, balance=False), [1, 1])


@pytest.mark.parametrize(
    "config", ["{", "{}", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
               '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}'],
)  # fmt: skip
def test_an_unusable_tf_config_is_refused(monkeypatch: pytest.MonkeyPatch, config: str) -> None:
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(InputDataError, match="TF_CONFIG"):
        task()


def test_a_batch_that_cannot_be_shared_is_refused(both: tuple[FeatureSet, FeatureSet]) -> None:
    class Three:
        num_replicas_in_sync = 3

    with pytest.raises(InputDataError, match="3 workers cannot share a batch of 16"):
        train(network, *both, SCHEDULE, Cluster(Three(), 0, 3), quiet=True)


def test_the_command_line_loads_no_tensorflow_at_start() -> None:
    code = (
        "import importlib, sys; from leakear.train.cli import COMMANDS; "
        "[importlib.import_module(module) for module, _ in COMMANDS.values()]; print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
