"""Listening hours: when a node on battery or solar power listens, and when it sleeps."""

from leakear.edge.schedule.hours import LEAST_MIN, Schedule, ScheduleOptions

__all__ = ["LEAST_MIN", "Schedule", "ScheduleOptions"]
