"""The rule: the numbers by which sound over time becomes an alert, and a check of impossible combinations.

The model file contains the defaults, a site's configuration overrides them, `state_machine` applies them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from leakear.edge.decision.observation import LOUD_DB
from leakear.edge.errors import ConfigError
from leakear.edge.options import option

NO_GATE_DBFS = -200.0
"""The level gate that lets everything through."""


@dataclass(frozen=True)
class DecisionRule:
    """[decision]: when sound becomes an alert. Unset keys come from the model file."""

    threshold: float = option(0.5, "P(leak) from which a window counts as on, 0 to 1", minimum=0, maximum=1)
    level_gate_dbfs: float = option(
        NO_GATE_DBFS, "dBFS; a window whose quietest level (dBmin) is below counts as off", minimum=-200, maximum=0
    )
    span_s: float = option(
        1800.0, "s; WARNING looks back this far: longer than the longest use of water", minimum=1, maximum=86400
    )
    on_fraction: float = option(0.9, "share of judged windows that must be on, over span_s", minimum=0, maximum=1)
    confirm_s: float = option(900.0, "s; the sound must go on this long after WARNING", minimum=0, maximum=86400)
    quiet_hours: str = option(
        "",
        'confirm only within these hours, as "02:00-04:00": of time_zone, UTC where that is empty; empty: at any hour',
    )
    night: str = option(
        "02:00-04:00", "the quietest hours of the place, in its own time: what lasts through them counts"
    )
    time_zone: str = option("", 'of the place, as "Europe/Lisbon"; empty: that of the system')
    release_fraction: float = option(
        0.5, "a WARNING whose share over span_s falls below this ends", minimum=0, maximum=1
    )
    clear_s: float = option(600.0, "s; WARNING and LEAK end after quiet over this long", minimum=1, maximum=86400)
    clear_fraction: float = option(0.1, "largest share of on windows that is still quiet", minimum=0, maximum=1)
    coverage: float = option(0.5, "share of a span that must be judged; less over noisy_s: NOISY", minimum=0, maximum=1)
    noisy_s: float = option(600.0, "s; the span over which coverage makes NOISY", minimum=1, maximum=86400)
    leak_needs_background: bool = option(
        False,
        "LEAK by day only where the sound is known to be above the background of this node; false: the score alone",
    )
    rise_db: float = option(
        0.85,
        "dB; least excess over the background of this node that counts; its own limit is learnt, and higher; 0: the "
        "background is not used",
        minimum=0,
        maximum=60,
    )
    strong_db: float = option(
        2.5, "dB; least excess for LEAK within the hour; a fainter one must come back at night", minimum=0, maximum=60
    )
    loud_db: float = option(
        LOUD_DB,
        "dB over the limit of this node from which a sound need not score as a leak, only not unlike one; 0: it must",
        minimum=0,
        maximum=60,
    )
    very_loud_db: float = option(
        8.0,
        "dB over the limit of this node from which a sound may have any score, once strong_nights are known: WARNING "
        "alone; 0: it may not",
        minimum=0,
        maximum=60,
    )
    strong_nights: int = option(
        14,
        "nights that must be known before LEAK within the hour, where leak_needs_background is true: a place has to be "
        "known before a new sound is called a leak; WARNING needs none",
        minimum=0,
        maximum=365,
    )
    rise_s: float = option(
        300.0,
        "s; such an excess must last this long",
        minimum=0,
        maximum=86400,
    )
    not_a_leak: str = option(
        "", "when a person stated that what is suspected is no leak; set by leakear-edge calibrate --not-a-leak"
    )
    fast_s: float = option(0.0, "s; LEAK at once when loud and sure this long; 0: off", minimum=0, maximum=86400)
    fast_score: float = option(0.99, "P(leak) that is sure", minimum=0, maximum=1)
    fast_level_dbfs: float = option(-20.0, "dBFS (dBmin) that is loud", minimum=-200, maximum=0)

    def __post_init__(self) -> None:
        if not self.clear_fraction < self.release_fraction < self.on_fraction:
            raise ConfigError("[decision] needs clear_fraction < release_fraction < on_fraction, or no state could end")
        if not 0 < self.threshold < 1:
            raise ConfigError("[decision] threshold: lies strictly between 0 and 1")
        if not 0 < self.coverage <= 1:
            raise ConfigError("[decision] coverage: lies above 0, at most 1")
        _ = self.quiet_interval, self.night_minutes, self.zone

    @property
    def quiet_interval(self) -> tuple[int, int] | None:
        """`quiet_hours` in minutes of the day, or None. Raises ConfigError when it is not readable."""
        return _minutes("quiet_hours", self.quiet_hours) if self.quiet_hours else None

    @property
    def night_minutes(self) -> tuple[int, int]:
        """`night` in minutes of the local day. Raises ConfigError when it is not readable."""
        return _minutes("night", self.night)

    @property
    def zone(self) -> tzinfo | None:
        """`time_zone`; None: that of the system. Raises ConfigError when it is not known."""
        if not self.time_zone:
            return None
        if self.time_zone == "UTC":  # known without a time zone database
            return UTC
        try:
            return ZoneInfo(self.time_zone)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            text = f"[decision] time_zone {self.time_zone!r} is not known here"
            raise ConfigError(f'{text}: write it as "Europe/Lisbon", or leave it empty') from None

    def check_step(self, step_s: float) -> None:
        """Refuse a rule that could never be met with windows `step_s` seconds apart."""
        for name in ("span_s", "clear_s", "noisy_s"):
            if getattr(self, name) < 3 * step_s:
                raise ConfigError(f"[decision] {name} holds fewer than three windows of step {step_s:g} s: raise it")
        for name in ("confirm_s", "rise_s", "fast_s"):
            if 0 < getattr(self, name) < step_s:
                raise ConfigError(
                    f"[decision] {name} is shorter than one step of {step_s:g} s: raise it or set it to 0"
                )

    def quiet_hour(self, utc: float) -> bool:
        """Tell whether LEAK may be confirmed at this POSIX time."""
        if self.quiet_interval is None:
            return True
        start, end = self.quiet_interval
        local = datetime.fromtimestamp(utc, self.zone if self.time_zone else UTC)
        minute = 60 * local.hour + local.minute
        return start <= minute < end if start < end else minute >= start or minute < end


def _minutes(key: str, text: str) -> tuple[int, int]:
    """Read a span of the day as its first and last minute. Raises ConfigError."""
    try:
        start, end = ((int(h), int(m)) for h, m in (part.split(":") for part in text.split("-")))
    except ValueError:
        start = end = (99, 99)
    if max(start[0], end[0]) > 23 or max(start[1], end[1]) > 59 or min(*start, *end) < 0 or start == end:
        raise ConfigError(f'[decision] {key} {text!r}: write it as "02:00-04:00"')
    return start[0] * 60 + start[1], end[0] * 60 + end[1]


def rule_from(defaults: Mapping[str, Any], overrides: Mapping[str, Any]) -> DecisionRule:
    """Build the rule from a model's defaults and a site's overrides. Raises ConfigError for an impossible one."""
    known = {declared.name for declared in fields(DecisionRule)}
    merged = {key: value for key, value in defaults.items() if key in known} | dict(overrides)
    return DecisionRule(**merged)
