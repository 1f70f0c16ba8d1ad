"""Make failing.tflite: a model whose golden vector comes out and that then gives no number for a quiet window.

    python tests/data/make_failing_model.py

Its logit is sqrt(mean − 0.5) of the input: fine for the loud golden input, not a number for quiet.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from leakear.edge.model import bundle

HERE = Path(__file__).parent
TINY = bundle.read(HERE / "tiny.tflite")


class Failing(tf.Module):
    """The network."""

    @tf.function(input_signature=[tf.TensorSpec((1, *TINY.info.spec.shape, 1), tf.float32)])
    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.sqrt(tf.reduce_mean(x) - 0.5), (1, 1))


def main() -> None:
    """Convert and write beside this file."""
    network = Failing()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([network.__call__.get_concrete_function()], network)
    info = dict(TINY.info.raw)
    info["model"] = info["model"] | {"id": "failing", "name": "failing"}
    info["flatbuffer"] = {}
    inputs = np.full((1, *TINY.info.spec.shape), 255, np.uint8)
    data = bundle.assemble(converter.convert(), info, inputs, np.array([np.sqrt(0.5)], np.float32))
    bundle.write(HERE / "failing.tflite", data)


if __name__ == "__main__":
    main()
