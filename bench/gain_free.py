"""A family of detectors that no gain changes, fixed before any of them was judged: `bench.nested_choice` chooses in it.

A sum weighs one form of steadiness against one form of balance; a linear model or nearest neighbours use many numbers
at once. All of them are computed from decibels relative to the window's own mean.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np

from leakear.train.evaluation import baselines
from leakear.train.evaluation.baselines import ComputedOnce, Table
from leakear.train.evaluation.metrics import Floats, Rows
from leakear.train.networks import compact

Columns: TypeAlias = Mapping[str, Floats]
"""name → (windows, k) numbers; NaN for changed copies"""
EDGES: Mapping[str, tuple[float, ...]] = {"100 to 900 Hz": compact.EDGES_HZ} | {
    f"{hz} Hz": (float(hz),) for hz in (200, 300, 500, 700)
}
"""What divides low from high sound; several edges are averaged."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Weight of the balance in a sum, of 1; both parts in standard deviations of the training sites."""
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""C of logistic regression: small is held close to zero."""
SETS = ("steady", "bands", "rich", "steadiness", "balance", "both")
"""Numbers of a linear model: three of the project's baselines, all forms of each part of a sum, and all forms."""
NEIGHBOURS = (1, 3, 7)


@dataclass(frozen=True)
class Candidate:
    """One detector. `score` gives a score of every window, after training on some of them."""

    name: str
    logits: bool = False
    """The scores are log-odds: they need no threshold."""

    def score(self, columns: Columns, table: Table, rows: Rows) -> Floats:
        """Return (windows,) scores after training on these rows."""
        raise NotImplementedError


@dataclass(frozen=True)
class Sum(Candidate):
    """Balance times `share`, less unsteadiness times the rest."""

    unsteady: str = ""
    balance: str = ""
    share: float = 0.0
    level: float = 0.0
    """Weight of dBmin, of 1, for comparison: with it a gain does change the score."""

    def score(self, columns: Columns, table: Table, rows: Rows) -> Floats:
        """Return (windows,) scores after training on these rows."""
        weights = baselines.weights(table, rows)
        parts = ((self.unsteady, self.share - 1), (self.balance, self.share))
        found = np.sum([standard(columns[name][:, 0], rows, weights) * w for name, w in parts if w], axis=0)
        if not self.level:
            return np.asarray(found)
        level = standard(columns["dbmin"][:, 0], rows, weights)
        return np.asarray((1 - self.level) * standard(found, rows, weights) + self.level * level)


@dataclass(frozen=True)
class Linear(Candidate):
    """Ridge logistic regression."""

    features: tuple[str, ...] = ()
    strength: float = 0.01

    def score(self, columns: Columns, table: Table, rows: Rows) -> Floats:
        """Return (windows,) scores after training on these rows."""
        values = np.column_stack([columns[name] for name in self.features])
        fitted: Any = baselines.logistic(self.strength)
        targets = table.real.windows.targets[rows]
        fitted.fit(values[rows], targets, clf__sample_weight=baselines.weights(table, rows))
        return np.asarray(fitted.decision_function(np.nan_to_num(values)))


@dataclass(frozen=True)
class Nearest(Candidate):
    """Log-odds of the nearest training windows, the closest weighing most; every site counts once."""

    features: tuple[str, ...] = ()
    count: int = 1

    def score(self, columns: Columns, table: Table, rows: Rows) -> Floats:
        """Return (windows,) scores after training on these rows."""
        weights = baselines.weights(table, rows)
        scaled = np.column_stack(
            [standard(column, rows, weights) for name in self.features for column in columns[name].T]
        )
        real = table.real.windows
        distance = np.linalg.norm(np.nan_to_num(scaled)[:, None] - scaled[rows][None], axis=2)
        best = np.full((2, len(scaled), self.count), np.inf)
        for target in (0, 1):
            sites = np.unique(real.sites[rows][real.targets[rows] == target])
            each = [distance[:, real.sites[rows] == site].min(axis=1) for site in sites]
            near = np.sort(np.stack(each, axis=1), axis=1)[:, : self.count]
            best[target, :, : near.shape[1]] = near
        mean = [np.mean(np.where(np.isfinite(part), part, part[:, :1]), axis=1) for part in best]
        return np.asarray(np.log(mean[0] + 1e-9) - np.log(mean[1] + 1e-9))


def standard(values: Floats, rows: Rows, weights: Floats) -> Floats:
    """Return values (n,) less the weighted mean of rows, in their standard deviations."""
    mean = np.average(values[rows], weights=weights)
    spread = np.sqrt(np.average((values[rows] - mean) ** 2, weights=weights))
    return np.asarray((values - mean) / max(spread, 1e-9))


def family(*, level: bool = False) -> tuple[Candidate, ...]:
    """Return all candidates. `level`: each hears dBmin as well, in a sum with half of the weight; then gain matters."""
    more, half = (("dbmin",), 0.5) if level else ((), 0.0)
    unsteady, balance = ([name for name in names() if name.startswith(part)] for part in ("unsteady", "balance"))
    found: list[Candidate] = []
    for share in SHARES:
        pairs = product(unsteady if share < 1 else unsteady[:1], balance if share > 0 else balance[:1])
        found += [Sum(f"sum: {_named(u, b, share)}", False, u, b, share, half) for u, b in pairs]
    found += [Linear(f"linear: {s}, C {c:g}", True, (*_set(s), *more), c) for s, c in product(SETS, STRENGTHS)]
    found += [
        Nearest(f"nearest {k}: {s}", True, (s, *more), k) for s, k in product(("steady", "bands", "both"), NEIGHBOURS)
    ]
    return tuple(found)


def names() -> tuple[str, ...]:
    """Return the names of all forms of the two parts of a sum."""
    return tuple(_parts(np.zeros((1, *compact.SPEC.shape))))


def _named(unsteady: str, balance: str, share: float) -> str:
    parts = ([unsteady] if share < 1 else []) + ([f"{share:g} of {balance}"] if share > 0 else [])
    return ", ".join(parts)


def _set(which: str) -> tuple[str, ...]:
    starts = {"steadiness": ("unsteady",), "balance": ("balance",), "both": ("unsteady", "balance")}.get(which)
    return tuple(name for name in names() if name.startswith(starts)) if starts else (which,)


def measured(table: Table) -> Columns:
    """Return the numbers of every window."""
    return _known(table)


def _compute(table: Table) -> Columns:
    rows = table.real.rows(np.arange(len(table.real.recordings)), copies=False)
    found: dict[str, Floats] = {}
    for row in rows:
        decibels = table.decibels(np.array([row]))
        parts = _parts(decibels)
        sets = {"steady": baselines.steady, "bands": baselines.log_bands, "rich": baselines.rich}
        parts |= {name: make(decibels) for name, make in sets.items()}
        parts["both"] = np.column_stack([parts[name] for name in parts if name.startswith(("unsteady", "balance"))])
        for name, value in parts.items():
            found.setdefault(name, np.full((len(table.real.file), value.shape[1]), np.nan))[row] = value[0]
    return found | {"dbmin": table.dbmin[:, None]}


_known: ComputedOnce[Columns] = ComputedOnce(_compute)


def _parts(decibels: Floats) -> dict[str, Floats]:
    """Return each form of the two parts of a sum, (k, 1), from decibels (k, rows, frames)."""
    count, rows, frames = decibels.shape
    step = compact.STEP
    pooled = decibels[:, :, : frames // step * step].reshape(count, rows, -1, step).mean(axis=3)
    found = {f"unsteady, {name}": value for name, value in _steadiness(pooled)}
    found |= {f"balance, {name}": value for name, value in _balances(pooled.mean(axis=2))}
    return {name: value[:, None] for name, value in found.items()}


def _steadiness(pooled: Floats) -> Iterator[tuple[str, Floats]]:
    """Yield forms of how much the level of pooled frames (k, rows, frames) varies, dB."""
    upper = pooled[:, np.searchsorted(compact.SPEC.frequencies, 300) :]
    bands = np.stack([part.mean(axis=1) for part in np.array_split(upper, 16, axis=1)], axis=1)
    places = {"all": pooled.mean(axis=1)[:, None], "above 300 Hz": upper.mean(axis=1)[:, None], "16 bands": bands}
    for place, level in places.items():
        middle = level.mean(axis=2, keepdims=True)
        low, high = np.percentile(level, [5, 95], axis=2)
        forms = {
            "mean deviation": np.abs(level - middle).mean(axis=2),
            "standard deviation": level.std(axis=2),
            "range": high - low,
            "jumps": np.abs(np.diff(level, axis=2)).mean(axis=2),
        }
        for name, value in forms.items():
            yield f"{name}, {place}", value.mean(axis=1)


def _balances(spectrum: Floats) -> Iterator[tuple[str, Floats]]:
    """Yield forms of high less low sound, from mean spectra (k, rows), dB; and the centroid, rows."""
    for name, edges in EDGES.items():
        for rows in (8, 16):
            count = spectrum.shape[1] // rows
            bands = spectrum[:, : count * rows].reshape(len(spectrum), count, rows).mean(axis=2)
            middle = compact.SPEC.frequencies[: count * rows].reshape(count, rows).mean(axis=1)
            cuts = [max(1, int(np.searchsorted(middle, hz))) for hz in edges]
            gaps = [bands[:, cut:].max(axis=1) - bands[:, :cut].max(axis=1) for cut in cuts]
            yield f"loudest {rows} rows, {name}", np.mean(gaps, axis=0)
        cuts = [int(np.searchsorted(compact.SPEC.frequencies, hz)) for hz in edges]
        gaps = [spectrum[:, cut:].mean(axis=1) - spectrum[:, :cut].mean(axis=1) for cut in cuts]
        yield f"mean, {name}", np.mean(gaps, axis=0)
    power = 10 ** (spectrum / 10)
    yield "centroid", np.asarray((power * np.arange(power.shape[1])).sum(axis=1) / power.sum(axis=1))
