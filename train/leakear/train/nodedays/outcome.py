"""From a day's changes of state and its truth to found leaks, delays and false alarms, each with its likely cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special

from leakear.edge.decision.state_machine import DecisionRule, State
from leakear.train.nodedays.recorded_day import Change, RecordedDay, Series

DAY_S = 86400.0
"""Seconds of a node-day."""
LONG_USE_S = 1800.0
"""A use of water that is as long as the rule looks back, s."""
MONTH_DAYS = 30.0
"""Days of a node-month."""
STRONG_DB = 5.0
"""From this level in the band on, a leak is to be told within the hour; below, within three nights."""
FAST_S, SLOW_S = 3600.0, 3 * DAY_S
"""The hour, and the three nights, s."""


@dataclass(frozen=True)
class Alarm:
    """A LEAK state without a leak."""

    at_s: float
    """Seconds after the day began."""
    causes: tuple[str, ...]
    """Sounds of more than half of the time that the rule looked back on."""


@dataclass(frozen=True)
class Outcome:
    """One day, judged."""

    day: str
    """Its name."""
    snr_db: float | None
    """Level of the leak above the stationary sounds in the sensor's band, dB; None: no leak."""
    found: bool
    """Whether the state was LEAK at some time of the leak."""
    delay_s: float | None
    """From the leak's beginning to LEAK."""
    false_alarms: tuple[Alarm, ...]
    """LEAK states without a leak."""
    warnings: int
    """WARNING states without a leak."""
    dry_s: float
    """Seconds judged without a leak."""
    judged_s: float = DAY_S
    """Seconds judged."""
    told_s: float | None = None
    """From the leak's beginning to WARNING or LEAK, whichever came first."""
    long_uses: int = 0
    """Uses of water of LONG_USE_S or more that began in judged time without a leak."""
    long_uses_alarmed: int = 0
    """How many of them were told as LEAK."""


def judge(
    name: str, truth: Mapping[str, Any], changes: Sequence[Change], rule: DecisionRule, start_utc: float
) -> Outcome:
    """Compare a day's changes with its truth."""
    seconds, begin = float(truth["seconds"]), float(truth.get("judged_from_s", 0.0))
    leak = next((e for e in truth["events"] if e["kind"] == "leak" and e["start_s"] < seconds), None)
    onset, end = (leak["start_s"], min(leak["end_s"], seconds)) if leak else (np.inf, np.inf)
    published = _from([(c.utc - start_utc, c.state) for c in changes], begin)
    alarms = [t for t, state in published if state is State.LEAK]
    warned = [t for t, state in published if state is State.WARNING]
    hits = [t for t in alarms if onset <= t <= end]
    told = [t for t in (*warned, *hits) if onset <= t <= end]
    uses = [
        e
        for e in truth["events"]
        if e["kind"] == "use" and e["end_s"] - e["start_s"] >= LONG_USE_S and begin <= e["start_s"] < onset
    ]
    looked_back = rule.span_s + rule.confirm_s
    false = tuple(Alarm(t, causes(truth, t, looked_back)) for t in alarms if not onset <= t <= end)
    return Outcome(
        day=name,
        snr_db=leak["snr_db"] if leak else None,
        found=bool(hits),
        delay_s=hits[0] - onset if hits else None,
        false_alarms=false,
        warnings=sum(not onset <= t <= end for t in warned),
        dry_s=seconds - begin - (end - onset if leak else 0.0),
        judged_s=seconds - begin,
        told_s=min(told) - onset if told else None,
        long_uses=len(uses),
        long_uses_alarmed=sum(
            any(e["start_s"] <= t < e["end_s"] + rule.span_s for t in alarms if t < onset) for e in uses
        ),
    )


def _from(changes: Sequence[tuple[float, State]], begin: float) -> list[tuple[float, State]]:
    """Return the changes from a time on, and the state at that time as a change: a false alarm that lasts counts."""
    before = [state for at, state in changes if at < begin][-1:]
    return [(begin, state) for state in before if state is not State.OK] + [row for row in changes if row[0] >= begin]


def causes(truth: Mapping[str, Any], at_s: float, back_s: float) -> tuple[str, ...]:
    """Name the sounds of more than half of the `back_s` seconds before; `surroundings` where there was none."""
    seconds: Counter[str] = Counter()
    for event in truth["events"]:
        overlap = min(event["end_s"], at_s) - max(event["start_s"], at_s - back_s)
        if overlap > 0 and event["kind"] not in {"leak", "vehicle"}:
            seconds[disturbance(event)] += overlap
    return tuple(sorted(kind for kind, length in seconds.items() if length > back_s / 2)) or ("surroundings",)


def disturbance(event: Mapping[str, Any]) -> str:
    """Name the kind of disturbance an event is, as `fan`, `speech`, `rain` or `use`."""
    return str(event.get("name", event["kind"]))


def poisson_interval(count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a Poisson mean after `count` events (Garwood 1936)."""
    tail = (1 - confidence) / 2
    low = float(scipy.special.gammaincinv(count, tail)) if count else 0.0
    return low, float(scipy.special.gammaincinv(count + 1, 1 - tail))


def poisson_upper(count: int, confidence: float = 0.95) -> float:
    """Exact one-sided upper bound of a Poisson mean; 3.0 after none (the rule of three)."""
    return float(scipy.special.gammaincinv(count + 1, confidence))


def share_interval(hits: int, tries: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval of a share (Clopper and Pearson 1934)."""
    tail = (1 - confidence) / 2
    low = float(scipy.special.betaincinv(hits, tries - hits + 1, tail)) if hits else 0.0
    high = float(scipy.special.betaincinv(hits + 1, tries - hits, 1 - tail)) if hits < tries else 1.0
    return low, high


def summarise(outcomes: Iterable[Outcome], least_snr_db: float = -10.0) -> dict[str, Any]:
    """Sum days up: detection, delay, false alarms with exact intervals, and their causes."""
    outcomes = list(outcomes)
    leaks = [o for o in outcomes if o.snr_db is not None and o.snr_db >= least_snr_db]
    delays = np.array([o.delay_s for o in leaks if o.delay_s is not None]) / 60
    alarms = [alarm for o in outcomes for alarm in o.false_alarms]
    dry_days = sum(o.dry_s for o in outcomes) / DAY_S
    low, high = poisson_interval(len(alarms))
    found = sum(o.found for o in leaks)
    return {
        "node_days": round(sum(o.judged_s for o in outcomes) / DAY_S, 2),
        "dry_node_days": round(dry_days, 2),
        "leaks": len(leaks),
        "found": found,
        "detection_rate": found / len(leaks) if leaks else None,
        "detection_interval": share_interval(found, len(leaks)) if leaks else None,
        "delay_median_min": float(np.median(delays)) if delays.size else None,
        "delay_p90_min": float(np.quantile(delays, 0.9)) if delays.size else None,
        "false_alarms": len(alarms),
        "false_alarms_per_day": len(alarms) / dry_days,
        "false_alarms_per_day_interval": (low / dry_days, high / dry_days),
        "false_alarms_per_week_upper95": 7 * poisson_upper(len(alarms)) / dry_days,
        "warnings_per_day": sum(o.warnings for o in outcomes) / dry_days,
        "causes": dict(Counter(cause for alarm in alarms for cause in alarm.causes)),
        "by_snr": _by_snr(leaks),
        "speeds": _speeds(leaks),
        "false_alarms_per_month": MONTH_DAYS * len(alarms) / dry_days,
        "false_alarms_per_month_upper95": MONTH_DAYS * poisson_upper(len(alarms)) / dry_days,
        "long_uses": sum(o.long_uses for o in outcomes),
        "long_uses_alarmed": sum(o.long_uses_alarmed for o in outcomes),
    }


def _speeds(leaks: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Count strong leaks told and found within the hour, faint ones within three nights, with exact intervals."""
    table = {}
    for name, within_s, strong in (("strong, within 60 min", FAST_S, True), ("faint, within 3 nights", SLOW_S, False)):
        group = [o for o in leaks if o.snr_db is not None and (o.snr_db >= STRONG_DB) is strong]
        found = sum(o.delay_s is not None and o.delay_s <= within_s for o in group)
        told = sum(o.told_s is not None and o.told_s <= within_s for o in group)
        interval = share_interval(found, len(group)) if group else None
        table[name] = {"leaks": len(group), "leak": found, "leak_interval": interval, "warning_or_leak": told}
    return table


def _by_snr(leaks: Sequence[Outcome]) -> dict[str, tuple[int, int]]:
    """Count (found, all) in steps of 10 dB."""
    table: dict[str, tuple[int, int]] = {}
    for low in (-10, 0, 10, 20):
        group = [o for o in leaks if o.snr_db is not None and low <= o.snr_db < low + 10]
        table[f"{low} to {low + 10} dB"] = (sum(o.found for o in group), len(group))
    return table


def on_by_disturbance(
    truth: Mapping[str, Any], recorded: RecordedDay, rule: DecisionRule, start_utc: float
) -> dict[str, list[int]]:
    """Count (windows on, windows judged) without a leak while each kind of disturbance sounded."""
    at = recorded.end_utc - start_utc - 5.0
    judged = ~np.isnan(recorded.score)
    on = judged & (recorded.score >= rule.threshold) & (recorded.dbmin >= rule.level_gate_dbfs)
    leak = _during(at, (e for e in truth["events"] if e["kind"] == "leak"))
    kinds = {disturbance(event) for event in truth["events"]} - {"leak"}
    times = {kind: _during(at, (e for e in truth["events"] if disturbance(e) == kind)) for kind in kinds}
    times["nothing"] = ~np.any([*times.values(), np.zeros(at.size, bool)], axis=0)
    dry = judged & ~leak
    return {kind: [int((on & dry & now).sum()), int((dry & now).sum())] for kind, now in sorted(times.items())}


def _during(at: Series, events: Iterable[Mapping[str, Any]]) -> Any:
    """Tell for each moment whether one of these events lasts, shape of `at`."""
    inside = np.zeros(at.size, bool)
    for event in events:
        inside |= (at >= event["start_s"]) & (at < event["end_s"])
    return inside
