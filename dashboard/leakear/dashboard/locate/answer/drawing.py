"""Inline SVG for the report: line charts and the pipe with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from leakear.dashboard.locate.correlation import Floats

WIDTH, HEIGHT = 760, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 14, 40
_POINTS = 1500
"""Points of a line at most: neighbours are joined, keeping the highest and the lowest."""


@dataclass(frozen=True)
class Line:
    """One curve."""

    x: Floats
    y: Floats
    name: str
    style: str = "a"
    """class in the page's style sheet"""


@dataclass(frozen=True)
class Axes:
    """Limits, labels and scale of a chart."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str
    y_label: str
    logarithmic: bool = False

    def place_x(self, value: Floats) -> Floats:
        """Pixels from the left."""
        low, high = self.x
        if self.logarithmic:
            share = np.log(np.maximum(value, low) / low) / np.log(high / low)
        else:
            share = (value - low) / (high - low)
        return np.asarray(_LEFT + np.clip(share, 0, 1) * (WIDTH - _LEFT - _RIGHT))

    def place_y(self, value: Floats) -> Floats:
        """Pixels from the top."""
        low, high = self.y
        return np.asarray(HEIGHT - _BOTTOM - np.clip((value - low) / (high - low), 0, 1) * (HEIGHT - _TOP - _BOTTOM))


def chart(
    title: str,
    axes: Axes,
    lines: Sequence[Line],
    marks: Sequence[tuple[float, str]] = (),
    band: tuple[float, float] | None = None,
) -> str:
    """Draw lines over axes. `marks`: vertical lines with a label; `band`: a shaded range of x."""
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    if band:
        low, high = axes.place_x(np.array(band))
        parts.append(
            f'<rect class="band" x="{low:.1f}" y="{_TOP}" width="{high - low:.1f}" height="{HEIGHT - _TOP - _BOTTOM}"/>'
        )
    parts += _grid(axes)
    parts += [_path(line, axes) for line in lines]
    for at, label in marks:
        x = float(axes.place_x(np.array(at)))
        parts.append(f'<path class="mark" d="M{x:.1f} {_TOP}V{HEIGHT - _BOTTOM}"/>')
        side = "end" if x > WIDTH - 90 else "start"
        beside = x - 4 if side == "end" else x + 4
        parts.append(
            f'<text class="label" text-anchor="{side}" x="{beside:.1f}" y="{_TOP + 11}">{escape(label)}</text>'
        )
    names = "".join(f'<span class="key {line.style}">{escape(line.name)}</span>' for line in lines if line.name)
    return f"<figure><figcaption>{escape(title)} {names}</figcaption>{''.join(parts)}</svg></figure>"


def pipe_drawing(
    length: float,
    x: Floats,
    probability: Floats,
    half: tuple[float, float],
    most: tuple[float, float],
    marks: Sequence[tuple[float, str]],
) -> str:
    """Draw the pipe from A to B with the probability along it, its 50 and 95 % intervals, and labelled marks (m)."""
    axes = Axes((0, length), (0, 1), "", "")
    title = "Position along the pipe"
    base, high = HEIGHT - 70, HEIGHT - 30
    xs = axes.place_x(x)
    heights = base - 14 - probability / max(float(probability.max()), 1e-30) * (base - 40)
    outline = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(xs, heights, strict=True))
    parts = [f'<svg viewBox="-4 0 {WIDTH + 28} {high}" role="img" aria-label="{title}">']
    parts.append(f'<polygon class="density" points="{xs[0]:.1f},{base - 14} {outline} {xs[-1]:.1f},{base - 14}"/>')
    parts.append(
        f'<rect class="pipe" x="{xs[0]:.1f}" y="{base - 10}" width="{xs[-1] - xs[0]:.1f}" height="20" rx="4"/>'
    )
    for interval, style in ((most, "most"), (half, "half")):
        left, right = axes.place_x(np.array(interval))
        parts.append(
            f'<rect class="{style}" x="{left:.1f}" y="{base - 10}" width="{max(right - left, 2):.1f}" height="20"/>'
        )
    for metres in _ticks(0, length):
        at = float(axes.place_x(np.array(metres)))
        parts.append(f'<text class="tick" text-anchor="middle" x="{at:.1f}" y="{base + 30}">{metres:g} m</text>')
    parts.append(f'<text class="end" x="{xs[0] - 22:.1f}" y="{base + 6}">A</text>')
    parts.append(f'<text class="end" x="{xs[-1] + 10:.1f}" y="{base + 6}">B</text>')
    for metres, label in marks:
        at = float(axes.place_x(np.array(metres)))
        parts.append(f'<path class="mark" d="M{at:.1f} 16V{base + 12}"/>')
        parts.append(f'<text class="label" text-anchor="middle" x="{at:.1f}" y="12">{escape(label)}</text>')
    return f"<figure><figcaption>{title}</figcaption>{''.join(parts)}</svg></figure>"


def _path(line: Line, axes: Axes) -> str:
    x, y = _thinned(axes.place_x(line.x), axes.place_y(line.y))
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return f'<polyline class="line {line.style}" points="{points}"/>'


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    if len(x) <= _POINTS:
        return x, y
    count = len(x) // (_POINTS // 2)
    rows = len(x) // count
    xs, ys = x[: rows * count].reshape(rows, count), y[: rows * count].reshape(rows, count)
    return np.repeat(xs[:, 0], 2), np.stack([ys.min(axis=1), ys.max(axis=1)], axis=1).ravel()


def _grid(axes: Axes) -> list[str]:
    parts = []
    along = [f for f in (20, 50, 100, 200, 500, 1000, 2000, 5000) if axes.x[0] <= f <= axes.x[1]]
    for value in along if axes.logarithmic else _ticks(*axes.x):
        x = float(axes.place_x(np.array(value)))
        parts.append(f'<path class="grid" d="M{x:.1f} {_TOP}V{HEIGHT - _BOTTOM}"/>')
        parts.append(
            f'<text class="tick" text-anchor="middle" x="{x:.1f}" y="{HEIGHT - _BOTTOM + 15}">{value:g}</text>'
        )
    for value in _ticks(*axes.y):
        y = float(axes.place_y(np.array(value)))
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="tick" text-anchor="end" x="{_LEFT - 6}" y="{y + 4:.1f}">{value:g}</text>')
    middle, label = (HEIGHT - _BOTTOM + _TOP) / 2, '<text class="label" text-anchor="middle"'
    parts.append(f'{label} x="{WIDTH / 2}" y="{HEIGHT - 6}">{escape(axes.x_label)}</text>')
    parts.append(f'{label} transform="translate(12 {middle}) rotate(-90)">{escape(axes.y_label)}</text>')
    return parts


def _ticks(low: float, high: float) -> list[float]:
    """Round values between two limits, five or so."""
    raw = (high - low) / 5
    power = 10 ** np.floor(np.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw)
    return [round(float(v), 10) for v in np.arange(np.ceil(low / step) * step, high + step / 1e6, step)]
