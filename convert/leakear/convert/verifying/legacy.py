"""Checks whether tflite-runtime 2.14 can load a model, from a table of its operator versions.

`bench/legacy_operators.py` makes the table from the real runtime.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("operators-2.14.json")


def too_new(operators: Sequence[dict[str, Any]]) -> list[str]:
    """Return one phrase for each operator, as `flatbuffer.operators` lists them, that tflite-runtime 2.14 lacks."""
    known: dict[str, int] = json.loads(TABLE.read_text(encoding="utf-8"))
    return [
        f"{item['name']} version {item['version']} (it knows {known.get(item['name'], 'none')})"
        for item in operators
        if item["version"] > known.get(item["name"], 0)
    ]
