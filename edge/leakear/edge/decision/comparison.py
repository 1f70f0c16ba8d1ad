"""Compares what two models say of the same windows: a new one on trial, or one just put to use, and the one before it.

Both are asked two things of each window: is it on (leak-like), and is the node in WARNING or LEAK when this model alone
decides. Reasons for the limits: decision 150. Pure: no clock, no I/O.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

DAY_S = 86400.0
ON_SHARE = 0.5
"""Share of a day's windows that may be leak-like for one model alone."""
ALERT_SHARE = 0.10
"""Share of a day that one model alone may be in WARNING or LEAK."""
ALERTS = 4
"""Alerts of the new model within a day, each begun while the old one had none, at which it is called restless."""


@dataclass(frozen=True)
class Verdict:
    """What one model says of one window."""

    on: bool
    """whether the window is leak-like"""
    alert: bool
    """whether the node is in WARNING or LEAK when this model decides"""


@dataclass
class Comparison:
    """Sums over the windows that both models have judged. All in s, except `new_alerts`."""

    heard_s: float = 0.0
    """time that both have judged"""
    old_on_s: float = 0.0
    """leak-like for the old model, whatever the new one says: how much there was to hear"""
    only_new_on_s: float = 0.0
    only_old_on_s: float = 0.0
    silent_on_s: float = 0.0
    """leak-like for the new model alone, and no alert of it"""
    only_new_alert_s: float = 0.0
    only_old_alert_s: float = 0.0
    new_alerts: int = 0
    """alerts of the new model that began while the old one had none"""
    _alerted: bool = False

    def add(self, step_s: float, new: Verdict, old: Verdict) -> None:
        """Take one window, which stands for `step_s` seconds."""
        self.heard_s += step_s
        self.old_on_s += step_s * old.on
        self.only_new_on_s += step_s * (new.on and not old.on)
        self.only_old_on_s += step_s * (old.on and not new.on)
        self.silent_on_s += step_s * (new.on and not old.on and not new.alert)
        self.only_new_alert_s += step_s * (new.alert and not old.alert)
        self.only_old_alert_s += step_s * (old.alert and not new.alert)
        self.new_alerts += new.alert and not self._alerted and not old.alert
        self._alerted = new.alert

    def old_was_wrong(self) -> None:
        """Forget what the old model alone has heard: a person states that it was no leak."""
        self.old_on_s = self.only_old_on_s = self.only_old_alert_s = 0.0

    def refused(self, length_s: float) -> str | None:
        """Say why a model does not pass a trial of this length (s); None: it does, so far."""
        if self.only_new_alert_s > ALERT_SHARE * length_s:
            return f"it alone would have alerted for {_hours(self.only_new_alert_s)}"
        if self.only_new_on_s > ON_SHARE * length_s:
            return f"it alone hears a leak in {_hours(self.only_new_on_s)} of {_hours(self.heard_s)}"
        return self._restless() or self._deaf(length_s)

    def taken_back(self, length_s: float, *, tried: bool) -> str | None:
        """Say why a model that decides loses its place within a day of this length (s); None: it does not.

        A single lasting alert is no reason: it may be the leak that only the new model hears. `tried`: it has passed a
        trial; one that a person put to use without is only asked whether it is restless.
        """
        if not tried:
            return self._restless()
        if self.silent_on_s > ON_SHARE * length_s:
            return f"it alone hears a leak in {_hours(self.silent_on_s)} of {_hours(self.heard_s)}"
        return self._restless() or self._deaf(length_s)

    def _restless(self) -> str | None:
        if self.new_alerts < ALERTS:
            return None
        return f"it began {self.new_alerts} alerts within {_hours(self.heard_s)} where the old one had none"

    def _deaf(self, length_s: float) -> str | None:
        if self.only_old_alert_s > ALERT_SHARE * length_s:
            return f"it had no alert in {_hours(self.only_old_alert_s)} in which the old one had"
        if self.only_old_on_s > ON_SHARE * length_s:
            return f"it hears nothing in {_hours(self.only_old_on_s)} in which the old one hears a leak"
        return None

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values."""
        return {name: round(value, 1) if isinstance(value, float) else value for name, value in asdict(self).items()}

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> Self:
        """Continue from a snapshot. Raises KeyError, TypeError or ValueError."""
        sums = {item.name: float(saved[item.name]) for item in fields(cls) if item.type is float}
        return cls(**sums, new_alerts=int(saved["new_alerts"]), _alerted=bool(saved["_alerted"]))


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 600 else f"{seconds / 60:.1f} min"
