"""Reads single values of a saved state, and refuses those that no node has: one would make it deaf, and show nowhere.

Pure: no clock, no I/O.
"""

from typing import Any

from leakear.edge.background.third_octaves import CENTRES_HZ

MOST_DB = 1000.0
"""Level or excess that no sound has."""
MOST_ENTRIES = 2**30
"""Number of a half hour that no node reaches."""


def saved_db(value: Any) -> float:
    """Return a level or excess, dB. Raises TypeError, ValueError or OverflowError."""
    db = float(value)
    if not abs(db) <= MOST_DB:  # NaN, too
        raise ValueError(f"{value} dB is saved, which no sound has")
    return db


def saved_pair(value: Any) -> int:
    """Return the lower of two neighbouring bands. Raises TypeError, ValueError or OverflowError."""
    band = int(value)
    if not 0 <= band < len(CENTRES_HZ) - 1:
        raise ValueError(f"band {value} is saved, which there is not")
    return band


def saved_entry(value: Any) -> int:
    """Return the number of a half hour. Raises TypeError, ValueError or OverflowError."""
    entry = int(value)
    if abs(entry) >= MOST_ENTRIES:
        raise ValueError(f"half hour {value} is saved, which no node reaches")
    return entry
