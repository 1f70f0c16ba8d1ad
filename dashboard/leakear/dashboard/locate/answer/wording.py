"""The answer in words, and as fields of JSON."""

from __future__ import annotations

from typing import Any

from leakear.dashboard.locate.locating import Location
from leakear.dashboard.locate.posterior import Estimate
from leakear.dashboard.locate.sources import Source

KINDS = {
    "leak": "a leak, or another steady source on the pipe",
    "end_a": "at or beyond A",
    "end_b": "at or beyond B",
    "middle": "in the middle, or electrical",
    "pump": "the known pump",
    "leak_or_echo": "a second leak, or an echo of the first source",
}
_GOOD, _FAIR = 3.0, 1.5
"""A peak this many times what is needed is good, or fair."""


def quality(location: Location) -> str:
    """Say how clear the peak is: good, fair or weak."""
    ratio = location.score / location.required
    return "good" if ratio >= _GOOD else "fair" if ratio >= _FAIR else "weak"


def text(location: Location) -> str:
    """Answer in a few lines."""
    pipe = location.pipe
    if location.position is None:
        lines = [f"No position. {location.refusal.text if location.refusal else ''}"]
    else:
        at = location.position
        lines = [
            f"{at.median:.1f} m from A, {pipe.length - at.median:.1f} m from B",
            f"95 %: {_span(at.most)} m from A, {_span(from_b(at.most, pipe.length))} m from B",
            f"50 %: {_span(at.half)} m from A, {_span(from_b(at.half, pipe.length))} m from B",
        ]
    if location.heard:
        low, high = location.band_hz
        length = f"length {pipe.length:g} ± {pipe.length_uncertainty:.2g} m"
        peak = f"peak {location.score:.1f}, needed {location.required:.1f} standard deviations"
        lines += [
            f"quality: {quality(location)} ({peak}; {low:.0f} to {high:.0f} Hz)",
            f"speed {pipe.speed.low:.0f} to {pipe.speed.high:.0f} m/s, {length}",
        ]
    start = 0 if location.position is None else 1
    lines += [f"also heard: {_named(source)}" for source in location.sources[start:]]
    return "\n".join(lines)


def fields(location: Location, notes: list[str]) -> dict[str, Any]:
    """Answer as an object of plain values; lengths in m."""
    at, pipe = location.position, location.pipe
    return {
        "position_m": at and round(at.median, 3),
        "from_b_m": at and round(pipe.length - at.median, 3),
        "interval_50_m": at and _rounded(at.half),
        "interval_95_m": at and _rounded(at.most),
        "refusal": location.refusal and location.refusal.reason,
        "reason": location.refusal and location.refusal.text,
        "quality": quality(location) if location.heard else None,
        "score": round(location.score, 2),
        "required": round(location.required, 2),
        "band_hz": _rounded(location.band_hz),
        "speed_m_s": _rounded((pipe.speed.low, pipe.speed.high)),
        "length_m": pipe.length,
        "sources": [
            {
                "kind": source.kind,
                "delay_ms": round(1000 * source.delay, 3),
                "score": round(source.score, 2),
                "position_m": round(source.position.median, 3),
                "interval_95_m": _rounded(source.position.most),
            }
            for source in location.sources
        ],
        "notes": notes,
    }


def speed_text(speed: Estimate) -> str:
    """Say a measured speed."""
    return (
        f"speed {speed.median:.0f} m/s (95 %: {speed.most[0]:.0f} to {speed.most[1]:.0f} m/s); "
        f"locate with --speed {speed.most[0]:.0f}:{speed.most[1]:.0f}"
    )


def speed_fields(speed: Estimate, notes: list[str]) -> dict[str, Any]:
    """Give a measured speed as fields, m/s."""
    return {"speed_m_s": round(speed.median, 1), "interval_95_m_s": _rounded(speed.most), "notes": notes}


def from_b(interval: tuple[float, float], length: float) -> tuple[float, float]:
    """Interval counted from B, m."""
    return length - interval[1], length - interval[0]


def _named(source: Source) -> str:
    low, high = source.position.most
    return (
        f"{KINDS[source.kind]}, {source.position.median:.1f} m from A (95 %: {low:.1f} to {high:.1f} m), "
        f"peak {source.score:.1f}"
    )


def _span(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.1f} to {interval[1]:.1f}"


def _rounded(pair: tuple[float, float]) -> list[float]:
    return [round(pair[0], 3), round(pair[1], 3)]
