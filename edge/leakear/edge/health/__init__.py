"""Health: whether the sensor works. Checked for each window before its score."""

from leakear.edge.health.monitor import FAULTS, Health, HealthMonitor, HealthOptions

__all__ = ["FAULTS", "Health", "HealthMonitor", "HealthOptions"]
