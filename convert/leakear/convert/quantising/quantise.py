"""Converts a Keras network with a logit output to a TFLite flatbuffer.

The graph is traced at a fixed batch of one (a dynamic batch makes Flatten emit SHAPE, STRIDED_SLICE and PACK) and its
weights are frozen into it directly: no SavedModel is written to disk, for which the notebook's 866 MB may be too much.
"""

import logging
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from leakear.convert.quantising.lower import lower_dense
from leakear.edge.errors import ModelError
from leakear.edge.stderr_filter import without_lines

Codes: TypeAlias = NDArray[np.uint8]
"""Spectrograms as the golden vector stores them, shape (n, rows, frames); the network's input is code / 255."""


@dataclass(frozen=True)
class Mode:
    """A number format of the network."""

    name: str
    doc: str
    calibrated: bool
    """needs a calibration set"""


MODES = {
    mode.name: mode
    for mode in (
        Mode("int8", "integer weights and activations, float input and logit (default)", True),
        Mode("int8-io", "as int8, input and logit are integers too: the node writes no float copy", True),
        Mode("float32", "as trained: largest and slowest, for comparison", False),
        Mode("float16", "weights halved to 16 bit, arithmetic in float32", False),
        Mode("int16x8", "16-bit activations, 8-bit weights: where int8 loses too much", True),
        Mode("dynamic", "8-bit weights, float activations: no calibration set needed", False),
    )
}


def quantise(network: Any, mode: str, calibration: Iterable[Codes] = (), *, per_channel_dense: bool = False) -> bytes:
    """Convert a Keras model of one input (rows, frames, 1) and one logit; returns the flatbuffer.

    `calibration`: one spectrogram a turn, shape (rows, frames), needed by the calibrated modes. The same network and
    calibration give the same bytes. `per_channel_dense` is what TensorFlow does by default in `dynamic` mode and what
    tflite-runtime 2.14 cannot load. Raises ModelError when TensorFlow cannot express the network in TFLite.
    """
    converter = _converter(network)
    _configure(converter, MODES[mode], calibration, per_channel_dense=per_channel_dense)
    warnings.filterwarnings("ignore", message="Statistics for quantized inputs")  # they are what the set is for
    try:
        with without_lines(b"fully_quantize: "):  # an inner state that the converter prints
            flatbuffer = converter.convert()
    except Exception as error:  # the converter raises whatever its passes raise
        raise ModelError(f"TFLite cannot express this network in {mode}: {_reason(error)}") from error
    return lower_dense(bytes(flatbuffer)) if mode == "dynamic" else bytes(flatbuffer)


def _converter(network: Any) -> Any:
    """Return a TFLiteConverter of the network, traced at a batch of one, weights frozen."""
    import tensorflow as tf

    logging.getLogger("absl").setLevel(logging.ERROR)  # it advises a detour through a SavedModel
    shape = (1, *network.input_shape[1:])
    signature = [tf.TensorSpec(shape, tf.float32, name="spectrogram")]
    traced = tf.function(lambda x: {"logit": network(x, training=False)}, input_signature=signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()])
    converter.exclude_conversion_metadata = True  # it would parse the whole file again only to stamp it
    return converter


def _configure(converter: Any, mode: Mode, calibration: Iterable[Codes], *, per_channel_dense: bool) -> None:
    import tensorflow as tf

    if mode.name == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode.name == "float16":
        converter.target_spec.supported_types = [tf.float16]
    elif mode.name == "dynamic":
        converter._experimental_disable_per_channel_quantization_for_dense_layers = not per_channel_dense  # noqa: SLF001
    else:
        operations = tf.lite.OpsSet
        converter.representative_dataset = lambda: _inputs(calibration)
        converter.target_spec.supported_ops = [
            operations.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            if mode.name == "int16x8"
            else operations.TFLITE_BUILTINS_INT8
        ]
    if mode.name == "int8-io":
        converter.inference_input_type = converter.inference_output_type = tf.int8


def _inputs(calibration: Iterable[Codes]) -> Iterator[list[NDArray[np.float32]]]:
    for codes in tqdm(calibration, "calibration", unit="window", leave=False, disable=None):
        yield [codes[None, ..., None].astype(np.float32) / np.float32(255)]


def _reason(error: Exception) -> str:
    """Return the first informative line of TensorFlow's error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line or "neither a custom op" in line]
    return (telling or lines or [type(error).__name__])[0][:300]
