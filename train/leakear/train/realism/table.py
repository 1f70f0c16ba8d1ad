"""The table: a figure of real sound, the same of simulated sound, and the interval that chance allows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leakear.train.realism import dates, levels, nights

FIRST_SITE = 300_000
"""Number of the first simulated site: no other command uses those from here to 499999."""
DATE_SITES, HOUR_SITES, LEVEL_SITES = 410_000, 320_000, 400_000
"""The same for sites of dates, of half-hours, and of levels."""


@dataclass(frozen=True)
class Row:
    """One figure."""

    group: str
    name: str
    real: tuple[float, float]
    """The real figure; two where it is known as a range."""
    simulated: float
    interval: tuple[float, float]
    """Where 95 of 100 draws as small as the real sample lie; for half-hours the quartiles of the sites."""

    @property
    def agrees(self) -> bool:
        """Whether the real figure lies in the interval."""
        low, high = self.interval
        return bool(self.real[1] >= low - 1e-9 and self.real[0] <= high + 1e-9)


def night_rows(quietest: nights.Levels) -> Iterator[Row]:
    """Compare the nights of simulated sites with those of the real loggers."""
    found, (low, high) = nights.figures(quietest), nights.sampling(quietest)
    for k, percent in enumerate(nights.PERCENTILES):
        name = f"change from night to night, {percent} % quantile, dB"
        yield _row("nights", name, nights.REAL_CHANGES[k], found.changes[k], low.changes[k], high.changes[k])
    for i, known in enumerate(nights.KNOWN):
        for j, by in enumerate(nights.BY):
            name = f"nights above all {known} before by > {by} dB, %"
            yield _row("nights", name, nights.REAL_ABOVE[i][j], found.above[i, j], low.above[i, j], high.above[i, j])
    for i, run in enumerate(("two", "three")):
        for j, by in enumerate(nights.RUNS_BY):
            name = f"{run} nights running above 14 before by > {by} dB, %"
            yield _row("nights", name, nights.REAL_RUNS[i][j], found.runs[i, j], low.runs[i, j], high.runs[i, j])


def hour_rows(sites: Sequence[dates.Excesses]) -> Iterator[Row]:
    """Compare the half-hours of simulated sites with those of the real sensor; intervals: the quartiles of sites."""
    median, high, share = dates.REAL_HOURS
    for name, real, values in (
        ("excess of a half-hour over all known, median, dB", (median, median), [np.median(s) for s in sites]),
        ("the same, 95 % quantile, dB", (high, high), [np.percentile(s, 95) for s in sites]),
        ("half-hours with an excess ≥ 0.85 dB, %", share, [100 * np.mean(s >= 0.85) for s in sites]),
    ):
        low, middle, top = np.percentile(values, (25, 50, 75))
        yield Row("half-hours", name, real, float(middle), (float(low), float(top)))


def date_rows(real: dates.DateFigures, sets: Sequence[dates.DateFigures]) -> Iterator[Row]:
    """Compare sets of simulated sites, each as large as the real one, with the real one."""
    for limit in dates.LIMITS_DB:
        for name, field in (("all sites", "excess"), ("the site with 14 dates", "many")):
            share = [float(np.sum(getattr(found, field) >= limit)) for found in (real, *sets)]
            label = f"recordings with an excess ≥ {limit:g} dB over other dates, {name}, of {len(getattr(real, field))}"
            yield _drawn("dates", label, share[0], share[1:])
    for percent in (50, 90):
        halves = [float(np.percentile(found.halves, percent)) for found in (real, *sets)]
        yield _drawn("halves", f"second half over first, {percent} % quantile, dB", halves[0], halves[1:])


def level_rows(real: levels.Levels, simulated: levels.Levels, label: str) -> Iterator[Row]:
    """Compare levels and spreads of one class."""
    rng = np.random.default_rng(0)
    draws = [simulated[rng.integers(len(simulated), size=len(real))] for _ in range(200)]
    for column, name in enumerate(("dBmin", "spread within ten seconds")):
        for percent in levels.PERCENTILES if column == 0 else (50,):
            values = [float(np.percentile(drawn[:, column], percent)) for drawn in (real, *draws)]
            unit = "dBFS" if column == 0 else "dB"
            yield _drawn("levels", f"{label}: {name}, {percent} % quantile, {unit}", values[0], values[1:])


def _row(group: str, name: str, real: float, simulated: float, low: float, high: float) -> Row:
    return Row(group, name, (real, real), float(simulated), (float(low), float(high)))


def _drawn(group: str, name: str, real: float, draws: Sequence[float]) -> Row:
    low, high = np.percentile(draws, (2.5, 97.5))
    return _row(group, name, real, float(np.mean(draws)), low, high)


def text(rows: Sequence[Row]) -> str:
    """Return the table as lines."""
    lines = [f"{'':76} {'real':>11} {'simulated':>10}  {'interval':>16}"]
    for row in rows:
        low, high = row.real
        real = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        interval = f"{row.interval[0]:.2f} to {row.interval[1]:.2f}"
        lines.append(f"{row.name:76} {real:>11.11} {row.simulated:10.2f}  {interval:>16}  {'' if row.agrees else '*'}")
    agree = sum(row.agrees for row in rows)
    lines.append(f"{agree} of {len(rows)} real figures lie in the interval; * marks the others")
    return "\n".join(lines)


def picture(rows: Sequence[Row], path: Path) -> None:
    """Draw each figure of the real sound beside the simulated one, as a ratio to the interval's middle."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups = list(dict.fromkeys(row.group for row in rows))
    heights = [sum(row.group == group for row in rows) for group in groups]
    figure = Figure(figsize=(9, 1.5 + 0.24 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, group in zip(
        figure.subplots(len(groups), 1, height_ratios=heights, squeeze=False)[:, 0], groups, strict=True
    ):
        shown = [row for row in rows if row.group == group]
        for y, row in enumerate(shown):
            axes.plot(row.interval, (y, y), color="#2f6f8f", lw=5, alpha=0.35, solid_capstyle="butt")
            axes.plot(row.simulated, y, "|", color="#2f6f8f", ms=11, mew=2)
            axes.plot(np.mean(row.real), y, "o", color="#c8553d", ms=4)
        axes.set_yticks(range(len(shown)), [row.name for row in shown], fontsize=6)
        axes.invert_yaxis()
        if all(min(row.real[0], row.interval[0]) > 0 for row in shown):
            axes.set_xscale("log")
        axes.grid(alpha=0.3)
    figure.suptitle("real (point), simulated (bar) and its interval", fontsize=9)
    figure.savefig(path, dpi=120)
