"""`leakear-convert diff`: shows what changed from one model file to another."""

import argparse
import json
from pathlib import Path
from typing import Any

from leakear.edge.cli.inspect import description
from leakear.edge.model import bundle

HELP = "Show what changed from one model file to another: spectrogram, threshold, figures, training, operators."
SECTIONS = (
    "spectrogram",
    "temperature",
    "decision",
    "metrics",
    "training",
    "conversion",
    "flatbuffer",
    "runtimes",
    "model",
)
"""keys in order of importance for a node; other differences come last"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON object: key → [old, new]")


def main(args: argparse.Namespace) -> int:
    """Print the differences."""
    changed = differences(*(description(bundle.read(path)) for path in (args.old, args.new)))
    if args.json:
        print(json.dumps(changed, ensure_ascii=False))
    else:
        width = max(map(len, changed), default=0)
        print(
            "\n".join(_line(key, *pair, width=width) for key, pair in changed.items()) or "the descriptions are equal"
        )
    return 0


def differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, list[Any]]:
    """Return {"section.key": [old, new]} of what differs; None means absent."""
    a, b = flat(old), flat(new)
    keys = sorted({*a, *b}, key=lambda key: (_rank(key), key))
    return {key: [a.get(key), b.get(key)] for key in keys if a.get(key) != b.get(key)}


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Turn nested objects into one level with dotted keys; lists stay whole."""
    if not isinstance(value, dict):
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return found


def _rank(key: str) -> int:
    section = key.partition(".")[0]
    return SECTIONS.index(section) if section in SECTIONS else len(SECTIONS)


def _line(key: str, old: Any, new: Any, *, width: int) -> str:
    change = f" ({new - old:+g})" if _number(old) and _number(new) else ""
    return f"{key:{width}}  {_short(old)} → {_short(new)}{change}"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: Any) -> str:
    text = "–" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
