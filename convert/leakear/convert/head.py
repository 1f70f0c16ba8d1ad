"""Make the last layer of a network a logit for Leak, whatever it was trained to say.

An integer sigmoid has steps of 1/256 and cannot express a small false alarm rate, so the sigmoid or softmax is taken
off. The reference notebook's labels are sorted, Leak before NoLeak: its sigmoid is P(NoLeak), and its logit is negated
in the last layer's own weights, at no cost on the node.
"""

from typing import Any

import numpy as np

from leakear.edge.errors import ModelError


def to_logit(network: Any, positive: str, name: str) -> Any:
    """Return a Keras model that ends in one logit for Leak.

    `positive`: the class that the one output, or the last of two, stands for ("Leak" or "NoLeak"). Raises ModelError
    for an end that cannot be turned into a logit.
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
        return _as_it_is(network, positive, name)
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
    ended = keras.Model(network.inputs, logit(dense.input), name=network.name)
    logit.set_weights([np.asarray(weights @ (sign * fold), np.float32) for weights in (kernel, *bias)])
    return ended


def _as_it_is(network: Any, positive: str, name: str) -> Any:
    """Accept an end that is not a Dense layer only as a logit for Leak: its weights are out of reach."""
    import keras

    linear = getattr(network.layers[-1], "activation", None) in (None, keras.activations.linear)
    if positive != "Leak" or network.output_shape[1:] != (1,) or not linear:
        raise ModelError(f"{name} does not end in a Dense layer: let it give one logit for Leak itself")
    return network
