"""Multiply-accumulates of a network, counted from the tensors of its TFLite file."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from leakear.edge.model.tflite import Model


def macs(model: "Model") -> int | None:
    """Count the multiplications of one score; None where the runtime does not list its operators."""
    interpreter = model.interpreter
    if not hasattr(interpreter, "_get_ops_details"):
        return None
    shapes = {tensor["index"]: tuple(tensor["shape"]) for tensor in interpreter.get_tensor_details()}
    return sum(
        _of(operator["op_name"], shapes[operator["inputs"][1]], shapes[operator["outputs"][0]])
        for operator in interpreter._get_ops_details()  # noqa: SLF001  the runtime offers no other way
        if operator["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    )


def _of(name: str, weights: tuple[int, ...], output: tuple[int, ...]) -> int:
    outputs = int(np.prod(output))
    if name == "CONV_2D":  # weights (out, height, width, in)
        return outputs * int(np.prod(weights[1:]))
    if name == "DEPTHWISE_CONV_2D":  # weights (1, height, width, channels)
        return outputs * int(np.prod(weights[1:3]))
    return outputs * int(weights[-1])  # fully connected: weights (out, in)
