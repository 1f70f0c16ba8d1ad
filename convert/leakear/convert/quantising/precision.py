"""Networks trained in half or mixed precision: rebuilt in float32, because TFLite cannot quantise float16 layers."""

from typing import Any

import numpy as np

from leakear.edge.errors import ModelError

_HALF = ("float16", "bfloat16")


def in_float32(network: Any, source: str) -> Any:
    """Return the same network with every layer in float32; unchanged where it is so already. Raises ModelError.

    Weights of a mixed policy are float32 already, those of a half policy are widened: no value changes.
    """
    names = sorted({str(layer.dtype_policy.name) for layer in _layers(network)} - {"float32"})
    if not any(half in name for name in names for half in _HALF):
        return network
    try:
        rebuilt = type(network).from_config(_float32(network.get_config()))
        if not rebuilt.built:
            rebuilt.build(network.input_shape)
        rebuilt.set_weights([np.asarray(weight).astype(np.float32) for weight in network.get_weights()])
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{source} was trained with the policy {', '.join(names)} and cannot be rebuilt in float32 ({reason}): set "
            "keras.mixed_precision.set_global_policy('float32'), build the network again, copy the weights and save it"
        ) from error
    return rebuilt


def _layers(network: Any) -> list[Any]:
    found = []
    for layer in network.layers:
        found += [layer, *(_layers(layer) if hasattr(layer, "layers") else [])]
    return found


def _float32(config: Any, key: str = "") -> Any:
    """Return a configuration of Keras with every dtype that is half or mixed replaced."""
    if isinstance(config, dict):
        if key == "dtype" and "config" in config:
            return "float32"
        return {name: _float32(value, name) for name, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_float32(value, key) for value in config)
    if key == "dtype" and isinstance(config, str) and any(half in config for half in _HALF):
        return "float32"
    return config


def refuse_half(function: Any, source: str) -> None:
    """Raise ModelError when the function of a SavedModel computes in half precision: its graph cannot be changed."""
    for operation in function.graph.get_operations():
        if any(output.dtype.name in _HALF for output in operation.outputs):
            raise ModelError(
                f"{source} computes in half precision, which TFLite cannot quantise: convert the .keras file that it "
                "came from, or export it again with the policy float32"
            )
