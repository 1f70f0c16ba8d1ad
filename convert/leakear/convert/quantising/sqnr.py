"""Signal to quantisation noise ratio of every layer, in numbers and as a picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from leakear.convert.quantising.quantise import Codes

POOR_DB = 20.0
"""a layer below this, dB, is reported: its noise is more than a tenth of its signal"""
WINDOWS = 16


@dataclass(frozen=True)
class Layer:
    """The output of one operator."""

    name: str
    operator: str
    sqnr_db: float
    """10·log10(Σ float² / Σ (float − dequantised)²)"""


def layers(floating: bytes, quantised: bytes, windows: Codes) -> list[Layer]:
    """Compare the outputs of the operators that both flatbuffers have, in their order.

    `windows`: shape (n, rows, frames). Operators are matched by the names and shapes that the converter gave both.
    """
    reference, judged = _Graph(floating), _Graph(quantised)
    pairs = [(key, index, reference.outputs[key]) for key, index in judged.outputs.items() if key in reference.outputs]
    signal, noise = np.zeros(len(pairs)), np.zeros(len(pairs))
    for codes in tqdm(windows[:WINDOWS], "layers", unit="window", leave=False, disable=None):
        unit = codes[None, ..., None].astype(np.float32) / np.float32(255)
        reference.run(unit)
        judged.run(unit)
        for k, (_, index, other) in enumerate(pairs):
            expected = reference.value(other)
            signal[k] += np.sum(expected**2)
            noise[k] += np.sum((expected - judged.value(index)) ** 2)
    ratio = 10 * np.log10(np.maximum(signal, 1e-30) / np.maximum(noise, 1e-30))
    named = zip(pairs, ratio, strict=True)
    return [Layer(_short(key[0]), judged.operators[index], float(db)) for (key, index, _), db in named]


class _Graph:
    """A flatbuffer whose inner tensors can be read: no delegate, nothing overwritten."""

    def __init__(self, flatbuffer: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self._interpreter = Interpreter(
            model_content=flatbuffer,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        self._interpreter.allocate_tensors()
        self._details = {item["index"]: item for item in self._interpreter.get_tensor_details()}
        self.operators = dict(self._produced())
        """output tensor → operator"""
        self.outputs = {
            (self._details[i]["name"], tuple(int(n) for n in self._details[i]["shape"])): i for i in self.operators
        }
        """(name, shape) → output tensor"""

    def _produced(self) -> Iterator[tuple[int, str]]:
        for operator in self._interpreter._get_ops_details():  # noqa: SLF001  (the runtime has no public function for it)
            for i in operator["outputs"]:
                yield int(i), str(operator["op_name"])

    def run(self, unit: NDArray[np.float32]) -> None:
        """Run one window, shape (1, rows, frames, 1), values 0 to 1."""
        target = self._interpreter.get_input_details()[0]
        scale, zero = target["quantization"]
        self._interpreter.set_tensor(
            target["index"], unit if not scale else (np.rint(unit / scale) + zero).astype(target["dtype"])
        )
        self._interpreter.invoke()

    def value(self, index: int) -> NDArray[np.float64]:
        """Return a tensor, of any shape, in the float network's own units."""
        scale, zero = self._details[index]["quantization"]
        raw = self._interpreter.get_tensor(index).astype(np.float64)
        return (raw - zero) * scale if scale else raw


def _short(name: str) -> str:
    """Return the layer's own name from a fused tensor name such as "net_1/relu_1/Relu;net_1/conv_1/convolution"."""
    parts = name.partition(";")[0].split("/")
    return parts[1] if len(parts) > 1 else parts[0]


def poor(found: list[Layer]) -> list[Layer]:
    """Return the layers under 20 dB."""
    return [layer for layer in found if layer.sqnr_db < POOR_DB]


def draw(found: list[Layer], path: Path, title: str) -> None:
    """Draw one bar a layer, those under 20 dB in red."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.32 * len(found) + 1.2), layout="constrained")
    axes: Any = figure.subplots()
    colours = ["tab:red" if layer.sqnr_db < POOR_DB else "tab:blue" for layer in found]
    axes.barh(
        [f"{layer.name} ({layer.operator})" for layer in found], [layer.sqnr_db for layer in found], color=colours
    )
    axes.axvline(POOR_DB, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel("signal to quantisation noise, dB")
    axes.set_title(title)
    figure.savefig(path, dpi=120)
