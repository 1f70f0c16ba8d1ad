"""Saved values as text: JSON with a checksum, and of a length that seldom changes, which spares the SD card."""

import json
import math
import zlib
from typing import Any

SHORT = 4096
"""characters up to which a value fits into one page of the database"""
GRAIN = 16384
"""longer ones are padded to a multiple of so many characters"""
KINDS: dict[str, type] = {"state": dict, "counters": dict, "given_up": dict, "seq": int, "retained": dict, "told": dict}
"""kinds of the values that every version saves under these keys"""


def sealed(value: Any) -> str:
    """Write a value as JSON with its CRC-32 on a line below: SQLite would not notice a flipped bit in it.

    A long value is padded with spaces: SQLite replaces a value of the same length in its place and writes only the
    pages that differ; one of another length it writes whole, to other pages.
    """
    text = json.dumps(value)
    if len(text) > SHORT:
        text = text.ljust(-(-len(text) // GRAIN) * GRAIN)
    return f"{text}\n{zlib.crc32(text.encode()):08x}"


def unsealed(text: Any, kind: type = object) -> Any:
    """Inverse of `sealed`. Raises ValueError for what is damaged, or is not of a `kind`."""
    body, broken, seal = (text if isinstance(text, str) else "").partition("\n")
    if broken and seal != f"{zlib.crc32(body.encode()):08x}":  # without a checksum: written by an older version
        raise ValueError("damaged")
    value = json.loads(body, parse_constant=_number, parse_float=_number)
    if not isinstance(value, kind):
        raise ValueError(f"saved as {type(value).__name__}")  # noqa: TRY004 (as every other damage)
    return value


def _number(text: str) -> float:
    """Read a number. NaN or one too large would decide something for ever, and show nowhere: it is damage."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("damaged")
    return number
