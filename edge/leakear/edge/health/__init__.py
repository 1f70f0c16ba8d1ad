"""Health: can a window be trusted at all? Measured before any score."""

from leakear.edge.health.monitor import FAULTS, Health, HealthMonitor, HealthOptions

__all__ = ["FAULTS", "Health", "HealthMonitor", "HealthOptions"]
