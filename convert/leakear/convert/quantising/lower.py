"""Lowers the operator version of dense layers where that does not change the result.

TensorFlow 2.21 marks a dense layer of 8-bit weights and float activations as version 12 ("per channel") even when its
weights have one scale, as a last layer of one output always has. tflite-runtime 2.14 refuses version 12, but computes
the same under version 9.
"""

import struct
from typing import Any

PER_CHANNEL, PER_TENSOR = 12, 9
_VERSION_FIELD = 8
"""vtable offset of OperatorCode.version in the TFLite schema"""


def lower_dense(flatbuffer: bytes) -> bytes:
    """Return the flatbuffer with FULLY_CONNECTED 12 renamed to 9 where all its weights have a single scale."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(flatbuffer, 0)
    dense = {
        i
        for i in range(model.OperatorCodesLength())
        if model.OperatorCodes(i).BuiltinCode() == schema.BuiltinOperator.FULLY_CONNECTED
        and model.OperatorCodes(i).Version() == PER_CHANNEL
    }
    lowered = bytearray(flatbuffer)
    for i in dense:
        if all(scales == 1 for scales in _scales(model.Subgraphs(0), i)):
            table = model.OperatorCodes(i)._tab  # noqa: SLF001  (flatbuffers' own way to a field's place)
            struct.pack_into("<i", lowered, table.Pos + table.Offset(_VERSION_FIELD), PER_TENSOR)
    return bytes(lowered)


def _scales(graph: Any, code: int) -> list[int]:
    """Count the scales of the weights of every operator with this code."""
    users = (graph.Operators(k) for k in range(graph.OperatorsLength()) if graph.Operators(k).OpcodeIndex() == code)
    return [graph.Tensors(user.Inputs(1)).Quantization().ScaleLength() for user in users]
