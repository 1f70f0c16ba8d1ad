"""Reads a TFLite flatbuffer: its operators with their versions, the steps of its logit, and the memory it needs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

TENSOR_BYTES = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 9: 1}
"""bytes an element of each tensor type of the schema: float32, float16, int32, uint8, int64, bool, int16, int8"""

INTEGER_STEPS = {7: 65536, 9: 256}
"""values of an int16 and an int8 tensor"""


def operators(flatbuffer: bytes) -> list[dict[str, Any]]:
    """Return [{"name", "version", "count"}], sorted by name."""
    model = _parsed(flatbuffer)
    counted = Counter(operator.opcodeIndex for graph in model.subgraphs for operator in graph.operators)
    names = _builtin_names()
    found = [
        {"name": names[max(code.builtinCode, code.deprecatedBuiltinCode)], "version": code.version, "count": counted[i]}
        for i, code in enumerate(model.operatorCodes)
        if counted[i]
    ]
    return sorted(found, key=lambda item: (item["name"], item["version"]))


@dataclass(frozen=True)
class LogitScale:
    """The values that an integer logit can have."""

    step: float
    zero_point: int
    steps: int
    """256 or 65536"""

    @property
    def low(self) -> float:
        """Smallest logit."""
        return (-self.steps // 2 - self.zero_point) * self.step

    @property
    def high(self) -> float:
        """Largest logit."""
        return (self.steps // 2 - 1 - self.zero_point) * self.step

    def between(self, logit: float) -> float:
        """Return the nearest value half-way between two steps, which no runtime can return."""
        return (np.floor(logit / self.step) + 0.5) * self.step


def logit_scale(flatbuffer: bytes) -> LogitScale | None:
    """Return the steps of the logit, also before a final DEQUANTIZE; None when it is computed in float."""
    graph = _parsed(flatbuffer).subgraphs[0]
    index = int(graph.outputs[0])
    producers = {int(i): operator for operator in graph.operators for i in operator.outputs}
    while graph.tensors[index].type not in INTEGER_STEPS:
        producer = producers.get(index)
        if producer is None or len(producer.inputs) != 1:
            return None
        index = int(producer.inputs[0])
    tensor = graph.tensors[index]
    return LogitScale(
        float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0]), INTEGER_STEPS[tensor.type]
    )


def arena_bytes(flatbuffer: bytes) -> int:
    """Return the largest sum of activations needed at one time, bytes (kernels need additional scratch memory)."""
    model = _parsed(flatbuffer)
    graph = model.subgraphs[0]
    constant = [model.buffers[tensor.buffer].data is not None for tensor in graph.tensors]
    born, dies = _lifetimes(graph)
    sizes = {i: _bytes(graph.tensors[i]) for i in born if not constant[i]}
    steps = range(len(graph.operators))
    return max((sum(size for i, size in sizes.items() if born[i] <= step <= dies[i]) for step in steps), default=0)


def _lifetimes(graph: Any) -> tuple[dict[int, int], dict[int, int]]:
    """Return for each tensor the operator that writes it and the last one that reads it."""
    born = dict.fromkeys(map(int, graph.inputs), 0)
    dies: dict[int, int] = dict.fromkeys(map(int, graph.outputs), len(graph.operators))
    for step, operator in enumerate(graph.operators):
        for i in map(int, operator.outputs):
            born.setdefault(i, step)
            dies.setdefault(i, step)
        for i in (int(i) for i in operator.inputs if i in born):
            dies[i] = max(dies.get(i, step), step)
    return born, dies


def _bytes(tensor: Any) -> int:
    return int(np.prod(tensor.shape, dtype=np.int64)) * TENSOR_BYTES[tensor.type] if tensor.shape is not None else 0


def _parsed(flatbuffer: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer, 0))


@cache
def _builtin_names() -> Mapping[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
