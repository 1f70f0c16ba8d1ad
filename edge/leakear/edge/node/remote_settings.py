"""Settings that were changed over MQTT and survive a restart."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self


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
    def restore(cls, saved: Mapping[str, Any]) -> Self:
        """Rebuild from what was saved; a field that an older version did not save is None."""
        return cls(**{item.name: saved.get(item.name) for item in fields(cls)})
