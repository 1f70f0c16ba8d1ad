"""Types of command-line arguments: a value that cannot be meant is refused by name, before any work, with code 2."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from leakear.edge import options


def place(text: str) -> Path:
    """Type of a file or folder; a quoted `~` means what it means to a shell."""
    return options.path(text)


def whole(low: int, high: int | None = None) -> Callable[[str], int]:
    """Return a type for whole numbers from `low` to `high` (None: no end)."""
    limits = f"from {low} on" if high is None else f"from {low} to {high}"

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"{text!r}: give a whole number {limits}")
        return value

    return parse


def number(low: float, high: float = math.inf, *, above: bool = False) -> Callable[[str], float]:
    """Return a type for finite numbers from `low` (`above`: greater than that) to `high`."""
    limits = f"above {low:g}" if above else f"from {low:g}"
    if not math.isinf(high):
        limits += f" up to {high:g}"
    elif not above:
        limits += " on"

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or not low <= value <= high or (above and value == low):
            raise argparse.ArgumentTypeError(f"{text!r}: give a number {limits}")
        return value

    return parse
