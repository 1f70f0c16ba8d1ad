"""Settings that were changed over MQTT and survive a restart."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

MOST = 1e10
"""No setting is as large: the s since 1970 of a time in the year 2286"""


@dataclass
class RemoteSettings:
    """Changes made over MQTT; None: as configured. Saved under the field names."""

    threshold: float | None = None
    """P(leak)"""
    muted_until: float | None = None
    """s since 1970"""
    step_s: float | None = None
    """s from window to window"""
    level_gate_dbfs: float | None = None
    """dBFS"""
    basis: str | None = None
    """model and configured rule for which threshold and level gate were chosen; None: an older version saved none"""

    @property
    def retuned(self) -> bool:
        """Whether threshold or level gate replace the configured ones."""
        return self.threshold is not None or self.level_gate_dbfs is not None

    @classmethod
    def restore(cls, saved: Any) -> Self:
        """Rebuild from what was saved; a field that another version did not save, or not as this one, is None."""
        found = saved if isinstance(saved, Mapping) else {}
        read = {item.name: _text if item.name == "basis" else _number for item in fields(cls)}
        return cls(**{name: kind(found.get(name)) for name, kind in read.items()})


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else None


def _number(value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if number and abs(value) < MOST else None
