"""Replaces the last layer of a network so that its output is one logit for Leak.

An integer sigmoid has steps of 1/256, too coarse for a small false alarm rate, so the sigmoid or softmax is removed.
The reference notebook sorts its labels, Leak before NoLeak: its sigmoid is P(NoLeak). Its logit is negated in the last
layer's weights, at no cost on the node.
"""

from typing import Any

import numpy as np

from leakear.edge.errors import ModelError


def to_logit(network: Any, positive: str, name: str) -> Any:
    """Return a Keras model that ends in one logit for Leak.

    `positive`: class of the only output, or of the last of two ("Leak" or "NoLeak"). Raises ModelError for a last
    layer that cannot be replaced.
    """
    import keras

    if positive not in ("Leak", "NoLeak"):
        raise ModelError(f'{name}: output_positive is {positive!r}: say "Leak" or "NoLeak"')
    _check_ends(network, name)
    last = network.layers[-1]
    if isinstance(last, keras.layers.Activation) and isinstance(network.layers[-2], keras.layers.Dense):
        activation, dense = last.activation, network.layers[-2]
    elif isinstance(last, keras.layers.Dense):
        activation, dense = last.activation, last
    else:
        return _unchanged(network, positive, name)
    if activation not in (keras.activations.linear, keras.activations.sigmoid, keras.activations.softmax):
        raise ModelError(f"{name} ends in {activation.__name__}: leakear needs a sigmoid, a softmax of two, or a logit")
    return _with_logit(network, dense, -1.0 if positive == "NoLeak" else 1.0)


def _check_ends(network: Any, name: str) -> None:
    for what, shape in (("input", network.input_shape), ("output", network.output_shape)):
        if isinstance(shape, list | dict):
            raise ModelError(f"{name} has {len(shape)} {what}s: leakear feeds one spectrogram and reads one logit")
    if network.output_shape[1:] not in ((1,), (2,)):
        raise ModelError(f"{name} gives {network.output_shape}: leakear needs one output, or two for two classes")


def _with_logit(network: Any, dense: Any, sign: float) -> Any:
    """Replace the last Dense layer by one that gives the (signed) difference of logits."""
    import keras

    kernel, *bias = dense.get_weights()
    fold = np.array([[-1.0], [1.0]]) if kernel.shape[1] == 2 else np.array([[1.0]])
    logit = keras.layers.Dense(1, use_bias=bool(bias), name="leak_logit")
    changed = keras.Model(network.inputs, logit(dense.input), name=network.name)
    logit.set_weights([np.asarray(weights @ (sign * fold), np.float32) for weights in (kernel, *bias)])
    return changed


def _unchanged(network: Any, positive: str, name: str) -> Any:
    """Accept a last layer other than Dense only when it is already a logit for Leak: its weights cannot be changed."""
    import keras

    linear = getattr(network.layers[-1], "activation", None) in (None, keras.activations.linear)
    if positive != "Leak" or network.output_shape[1:] != (1,) or not linear:
        raise ModelError(f"{name} does not end in a Dense layer: let it give one logit for Leak itself")
    return network
