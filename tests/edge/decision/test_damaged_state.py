"""Whatever stands in a saved state, of another version or damaged: it is refused, or the node goes on with it."""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

from leakear.edge.decision.judge import Judge
from leakear.edge.decision.state_machine import DecisionRule
from leakear.edge.errors import UNUSABLE
from leakear.edge.spec import SpectrogramSpec

STEP_S = 900.0
BORN = 1_800_000_000 // 86400 * 86400.0
QUIET = np.linspace(-50, -90, 25).astype(np.float32)
BAD: list[Any] = [None, 1e300, -1e300, -1, 10**12, 10**400, "x", [], {}]


@dataclass(frozen=True)
class Sound:
    """What the judge reads of a faultless window."""

    faults: tuple[str, ...] = ()
    audible: bool = True
    levels_hold: bool = True
    l05: float = -60.0


class Place:
    """A judge that hears one window each quarter of an hour."""

    def __init__(self) -> None:
        self.rule = DecisionRule(time_zone="UTC", span_s=3600, rise_s=2700, confirm_s=1800, clear_s=2700, noisy_s=2700)
        self.judge = Judge(self.rule, SpectrogramSpec(), step_s=STEP_S)
        self.time_s, self._rng = 0.0, np.random.default_rng(0)

    def hear(self, hours: float, *, leak: bool = False) -> list[str]:
        """Return the states that the node comes to."""
        found = []
        for _ in range(int(hours * 3600 / STEP_S)):
            self.time_s += STEP_S
            levels = (QUIET + self._rng.normal(0, 0.3, 25)).astype(np.float32)
            levels[10:14] += 20 if leak else 0
            window = {"time_s": self.time_s, "utc": BORN + self.time_s, "score": 0.9 if leak else 0.1}
            verdict = self.judge.window(Sound(), levels=levels, **window)  # type: ignore[arg-type]
            found += [verdict.transition.target.value] if verdict.transition else []
        return found


@cache
def lived() -> str:
    place = Place()
    for day in range(12):
        place.hear(21)
        place.hear(3, leak=day in (4, 9))
    place.hear(3.5)  # within a night
    place.hear(0.5, leak=True)
    return json.dumps(place.judge.snapshot())


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where each part of a snapshot stands; of a long list its ends."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, (*path, key))
    elif isinstance(value, list):
        for at in sorted({0, len(value) - 1}) if value else ():
            yield from leaves(value[at], (*path, at))


def damaged(saved: Any, path: tuple[Any, ...], value: Any) -> Any:
    part = saved = copy.deepcopy(saved)
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return saved


@pytest.mark.parametrize("bad", BAD, ids=repr)
def test_a_damaged_value_is_refused_or_the_node_hears_on(bad: Any) -> None:
    whole = json.loads(lived())
    refused = 0
    for path in leaves(whole):
        place = Place()
        try:
            place.judge.restore(damaged(whole, path, bad), place.time_s, 5.0)
        except UNUSABLE:
            refused += 1
            continue
        place.hear(1.5)
        place.judge.decision.hours.limits.compare_again(place.judge.background.excess_today_db)
        place.hear(23)
        json.dumps(place.judge.snapshot(), allow_nan=False)
    assert refused > 10


@pytest.mark.parametrize("bad", [1e300, 10**12, -(10**12)])
def test_no_damaged_value_makes_a_node_deaf(bad: float) -> None:
    whole = json.loads(lived())
    for path in leaves(whole):
        place = Place()
        try:
            place.judge.restore(damaged(whole, path, bad), place.time_s, 5.0)
        except UNUSABLE:
            continue
        place.hear(6)
        assert "WARNING" in place.hear(6, leak=True), path
