"""Health: whether the sensor works, from the measures of one window after the other; checked before any score.

A dead, clipped or half-deaf sensor must neither raise an alarm nor report quiet. Each check compares one measure with
its limit: the fault begins above the limit and ends below a lower one, so that a value at the limit does not switch
it on and off. Loud, hissing or humming sound is not a fault: only what makes it impossible to hear a leak is one.
`floor_drift`, `lifeless` and `clipping` windows are still scored: a high score counts, a low one does not, because the
sensor may have come off the pipe, or cannot follow the sound.

Levels are RMS in dBFS where 0 dBFS is a full-scale sine, as in the spectrogram.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from leakear.edge.health.floor_history import FloorHistory, Hour
from leakear.edge.health.measures import Measures
from leakear.edge.options import option

if TYPE_CHECKING:
    from leakear.edge.spec import SpectrogramSpec

FAULTS: Mapping[str, str] = {
    "nan": "the values are no numbers, or far beyond full scale: reinstall the driver, or scale a recording to ±1",
    "digital_silence": "the sensor delivers nothing but zeros: check the plug, the mute switch and the gain",
    "stuck": "the sensor repeats one value: check its supply and cable",
    "clipping": "the sound hits the converter's limits: lower the gain; a leak beside the sensor clips too",
    "dc_offset": "the signal sits far from zero: check the sensor's bias and cable",
    "mains_dominance": "mains hum drowns everything: check the shield, the ground and the power supply",
    "missing_highs": "the upper part of the model's band is missing: check the device's rate and the mounting",
    "floor_drift": "the level is lower than ever before at this node: check that the sensor still touches the pipe, "
    "then accept it with `leakear-edge calibrate --accept-floor`",
    "lifeless": "nothing has risen above the sensor's own noise for days: knock on the pipe for some seconds, "
    "check plug and gain",
}
"""Every fault: its name, and a sentence with what a person should do."""
LOW_CONFIDENCE_QUIET = frozenset({"floor_drift", "lifeless", "clipping"})
"""Faults whose windows are still scored: a high score counts, a low one does not. A leak beside the sensor clips."""


@dataclass(frozen=True, slots=True)
class HealthOptions:
    """[health]: the limits from which a window has a fault. A fault ends at a fraction of its limit."""

    clip_ratio: float = option(
        0.001, "share of samples at the converter's limits above which there is a fault", minimum=0, maximum=1
    )
    dc_offset: float = option(0.15, "mean of the samples, full scale 1, that is a fault", minimum=0.001, maximum=1)
    flat_ratio: float = option(
        0.1, "share of the window without any movement that is a fault", minimum=0.001, maximum=1
    )
    mains_ratio: float = option(
        0.95, "share of the power on multiples of 50 or 60 Hz that is a fault", minimum=0.1, maximum=1
    )
    mains_level_dbfs: float = option(-35.0, "dBFS; hum quieter than this is never a fault", minimum=-140, maximum=0)
    bandwidth_ratio: float = option(
        0.7,
        "share of the model's band, or of the median bandwidth at this node, below which highs are missing; 0: never",
        minimum=0,
        maximum=1,
    )
    floor_drop_db: float = option(
        12.0,
        "dB below the quietest hours of the last week, or of the first, that is a fault; 0: never",
        minimum=0,
        maximum=100,
    )
    lifeless_hours: int = option(
        72, "hours without any sound above the sensor's own noise that are a fault; 0: never", minimum=0, maximum=168
    )
    accepted: str = option(
        "",
        "any text, such as today's date: change it after you have checked the sensor, and the node learns its noise "
        "floor and its background again (`leakear-edge calibrate --accept-floor` writes it)",
    )


_RELEASE = 0.7
"""A fault ends when its measure falls below this share of the limit at which it began."""
_LIFELESS_RANGE_DB = 3.0
"""Largest difference between the quietest and the loudest moment of days with nothing but the sensor's own noise."""
_LIFELESS_DBFS = -65.0
"""Level that such days never exceed: a pump that never stops is louder."""
_ZERO = 1e-4
"""Mean, full scale 1, up to which a flat stretch is silence and not a stuck value."""


@dataclass(frozen=True, slots=True)
class Health(Measures):
    """The measures of one window, with the faults found in them."""

    noise_floor_dbfs: float
    """quietest level of the last hour or two: the node's noise floor"""
    noise_floor_drift_db: float | None
    """how far that floor stands above its median over the last week; None until a day has been heard"""
    faults: tuple[str, ...]
    """names out of `FAULTS`; a window with any but those of `LOW_CONFIDENCE_QUIET` is not scored"""

    @property
    def ok(self) -> bool:
        """Whether there is no fault: a high and a low score of this window both count."""
        return not self.faults

    @property
    def levels_hold(self) -> bool:
        """Whether its quiet levels may be compared with the background: clipping cuts the loud moments only."""
        return not set(self.faults) - {"clipping"}

    @property
    def audible(self) -> bool:
        """Whether a leak could be heard in this window, so that it is scored."""
        return LOW_CONFIDENCE_QUIET.issuperset(self.faults)


class HealthMonitor:
    """Finds faults in one window after the other; remembers those that stand and the noise floor of the last week."""

    def __init__(self, options: HealthOptions, spec: "SpectrogramSpec") -> None:
        self.options = options
        self._spec = spec
        self._raised: set[str] = set()
        self._history = FloorHistory()

    def check(self, measures: Measures, utc: float, *, leak_suspected: bool = False) -> Health:
        """Find the faults of a window, and learn the noise floor from a window without one.

        `utc`: beginning of the window, s since 1970. `leak_suspected`: do not take this level for the quiet of the
        place: a leak may be in it.
        """
        m = measures
        self._raised = {name for name, excess in self._ratios(m).items() if self._exceeds(name, excess)}
        if self._raised <= {"lifeless", "clipping"}:  # a louder window must be able to end `lifeless`
            self._history.add(Hour(int(utc // 3600), m.l05, m.bandwidth_hz, m.l95, not leak_suspected))
        floor = self._history.floor_dbfs
        return Health(
            **{declared.name: getattr(m, declared.name) for declared in fields(Measures)},
            noise_floor_dbfs=m.l05 if floor is None else floor,
            noise_floor_drift_db=self._history.drift_db,
            faults=tuple(name for name in FAULTS if name in self._raised),
        )

    def _exceeds(self, name: str, excess: float) -> bool:
        return excess > (_RELEASE if name in self._raised else 1)

    def _ratios(self, m: Measures) -> dict[str, float]:
        """Return the measure of each fault as a multiple of its limit."""
        if not m.finite:
            return {"nan": 2.0}
        options = self.options
        flat = m.flat_ratio / options.flat_ratio
        loud = m.level_dbfs > options.mains_level_dbfs
        return {
            "digital_silence": flat if abs(m.flat_value) < _ZERO else 0.0,
            "stuck": flat if abs(m.flat_value) >= _ZERO else 0.0,
            "clipping": _multiple(m.clip_ratio, options.clip_ratio),
            "dc_offset": abs(m.dc) / options.dc_offset,
            "mains_dominance": m.mains_ratio / options.mains_ratio if loud else 0.0,
            "missing_highs": 0.0 if flat > _RELEASE else self._missing(m),
            "floor_drift": 0.0 if flat > _RELEASE else self._fallen(m),
            "lifeless": 0.0 if flat > _RELEASE else self._lifeless(m),
        }

    def _missing(self, m: Measures) -> float:
        """Return more than 1 if bandwidth is missing, compared with the model's band or else the week's median."""
        band = self._spec.band_hz[1] if self._spec.band_hz else self._history.bandwidth_hz
        if not band or not self.options.bandwidth_ratio:
            return 0.0
        wanted = band * self.options.bandwidth_ratio
        return 1 + 3 * (wanted - m.bandwidth_hz) / wanted

    def _fallen(self, m: Measures) -> float:
        quietest = self._history.quietest_dbfs
        if quietest is None or self.options.floor_drop_db == 0:
            return 0.0
        return (quietest - m.l05) / self.options.floor_drop_db

    def _lifeless(self, m: Measures) -> float:
        """Tell whether only the sensor's own noise was heard for days; any sound in this window ends the fault."""
        hours = self.options.lifeless_hours
        known = self._history.range_dbfs(hours) if hours else None
        if known is None:
            return 0.0
        quietest, loudest = min(known[0], m.l05), max(known[1], m.l95)
        return 2.0 if loudest < _LIFELESS_DBFS and loudest - quietest < _LIFELESS_RANGE_DB else 0.0

    def forget(self) -> None:
        """Learn the noise floor again: the sensor was moved, or a person accepts the present floor."""
        self._history = FloorHistory()
        self._raised -= {"floor_drift", "lifeless"}

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values."""
        return {"raised": sorted(self._raised), "accepted": self.options.accepted, **self._history.snapshot()}

    def accepts(self, saved: Mapping[str, Any]) -> bool:
        """Tell whether what was saved still holds: nobody has accepted another noise floor since."""
        return bool(saved.get("accepted", "") == self.options.accepted)

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Inverse of `snapshot`, without the history when a person has accepted another floor since.

        Raises ValueError, TypeError or KeyError.
        """
        history = FloorHistory()
        history.restore(saved)
        raised = set(saved["raised"]) & set(FAULTS)
        if self.accepts(saved):
            self._raised, self._history = raised, history
        else:
            self._raised, self._history = raised - LOW_CONFIDENCE_QUIET, FloorHistory()


def _multiple(value: float, limit: float) -> float:
    """Return a measure as a multiple of its limit; with a limit of 0 whatever is measured exceeds it."""
    if limit:
        return value / limit
    return math.inf if value else 0.0
