"""A weekday and an hour: when the health report is due. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from leakear.edge.errors import ConfigError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Weekly:
    """A weekday and time of the machine's own time zone."""

    day: int
    """0: Monday"""
    hour: int
    minute: int

    def __str__(self) -> str:
        """Return it as `parse_weekly` reads it."""
        return f"{DAYS[self.day]}-{self.hour:02}:{self.minute:02}"

    def last(self, now: float) -> float:
        """Return when it was last due, POSIX seconds."""
        local = datetime.fromtimestamp(now)  # noqa: DTZ006 - in the machine's own zone
        day = local.date() - timedelta(days=(local.weekday() - self.day) % 7)
        due = datetime.combine(day, time(self.hour, self.minute))
        return (due if due <= local else due - timedelta(days=7)).timestamp()


def parse_weekly(text: str) -> Weekly:
    """Read `mon-07:00`. Raises ConfigError."""
    found = re.fullmatch(r"([a-z]{3})-([01]\d|2[0-3]):([0-5]\d)", text)
    if found is None or found[1] not in DAYS:
        raise ConfigError(f"--health-report is {text[:20]!a}: write DAY-HH:MM with mon to sun, such as mon-07:00.")
    return Weekly(DAYS.index(found[1]), int(found[2]), int(found[3]))
