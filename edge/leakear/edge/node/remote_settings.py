"""What was changed from afar and must survive a restart."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass
class Memory:
    """Changes made over MQTT; None: as configured."""

    threshold: float | None = None
    """P(leak)"""
    muted_until: float | None = None
    """s since 1970"""
    step_s: float | None = None
    """s from window to window"""
    level_gate_dbfs: float | None = None
    """dBFS"""
    basis: str | None = None
    """model and configured rule that threshold and level gate were chosen for; None: a former version did not say"""

    @property
    def retuned(self) -> bool:
        """Whether threshold or level gate stand above the configured ones."""
        return self.threshold is not None or self.level_gate_dbfs is not None

    @classmethod
    def recall(cls, saved: Mapping[str, Any]) -> Self:
        """Rebuild from what was saved; what a former version did not know stays None."""
        return cls(**{item.name: saved.get(item.name) for item in fields(cls)})
