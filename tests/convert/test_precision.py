"""Networks as training machines with mixed precision leave them: float32 values come out, or one sentence."""

from pathlib import Path

import numpy as np
import pytest

from leakear.convert.quantising.precision import in_float32, refuse_half
from leakear.edge.errors import ModelError

SHAPE = (12, 9, 1)


def network(policy: str) -> object:
    import keras

    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Conv2D(4, 3, activation="relu", dtype=policy),
            keras.layers.BatchNormalization(dtype=policy),
            keras.Sequential([keras.Input((10, 7, 4)), keras.layers.GlobalAveragePooling2D(dtype=policy)]),
            keras.layers.Dense(1, dtype=policy),
        ]
    )


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16"])
def test_half_precision_is_rebuilt_with_the_same_weights(policy: str, tmp_path: Path) -> None:
    import keras

    network(policy).save(tmp_path / "n.keras")  # type: ignore[attr-defined]
    loaded = keras.models.load_model(tmp_path / "n.keras")
    rebuilt = in_float32(loaded, "n.keras")
    policies = {layer.dtype_policy.name for layer in [*rebuilt.layers, *rebuilt.layers[2].layers]}
    assert policies == {"float32"}
    for before, after in zip(loaded.get_weights(), rebuilt.get_weights(), strict=True):
        assert after.dtype == np.float32
        np.testing.assert_array_equal(np.asarray(before).astype(np.float32), after)
    windows = np.random.default_rng(1).random((8, *SHAPE), np.float32)
    said = rebuilt.predict(windows, verbose=0)
    assert said.dtype == np.float32
    np.testing.assert_allclose(said, np.asarray(loaded.predict(windows, verbose=0), np.float32), atol=0.02)


def test_float32_is_left_as_it_is() -> None:
    built = network("float32")
    assert in_float32(built, "n.keras") is built


@pytest.mark.parametrize(("kind", "refused"), [("float16", True), ("bfloat16", True), ("float32", False)])
def test_a_graph_in_half_precision_is_refused(kind: str, refused: bool) -> None:
    import tensorflow as tf

    spec = tf.TensorSpec((1, 4), tf.float32)
    function = tf.function(lambda x: tf.cast(tf.cast(x, kind) * 2, tf.float32)).get_concrete_function(spec)
    if not refused:
        refuse_half(function, "saved")
        return
    with pytest.raises(ModelError, match=r"saved computes in half precision.*float32"):
        refuse_half(function, "saved")
