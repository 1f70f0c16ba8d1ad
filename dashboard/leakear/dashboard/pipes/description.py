"""What people say of a pipe: which nodes, how long, of what. Checked with one sentence for each mistake."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from leakear.dashboard.fleet import Key
from leakear.dashboard.history import Row
from leakear.edge.errors import InputDataError, UsageError
from leakear.edge.messages.reports import Identity

if TYPE_CHECKING:
    from leakear.dashboard.locate import Pipe

SHORTEST_M, LONGEST_M = 1.0, 5000.0
"""m, along the pipe"""
FIELDS = ("length", "material", "diameter", "wall", "speed_low", "speed_high", "automatic")


@dataclass(frozen=True)
class Described:
    """A pipe as its operator knows it."""

    a: Key
    b: Key
    length: float
    """m along the pipe from A to B"""
    material: str
    diameter: float | None = None
    """mm, outer"""
    wall: float | None = None
    """mm"""
    speed_low: float | None = None
    """m/s"""
    speed_high: float | None = None
    """m/s"""
    automatic: bool = True
    """whether it is also correlated at night and when both nodes suspect a leak"""

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Read what a page sent. Raises InputDataError."""
        made = cls(
            a=_key(values.get("a")), b=_key(values.get("b")), length=_number(values, "length") or 0.0,
            material=str(values.get("material", "")), diameter=_number(values, "diameter"),
            wall=_number(values, "wall"), speed_low=_number(values, "speed_low"),
            speed_high=_number(values, "speed_high"), automatic=values.get("automatic", True) is True,
        )  # fmt: skip
        made._check()
        return made

    @classmethod
    def of_row(cls, row: Row) -> Self:
        """Read a stored pipe."""
        values = {name: row[name] for name in FIELDS}
        return cls(a=(row["site_a"], row["node_a"]), b=(row["site_b"], row["node_b"]), **values)

    @property
    def pair(self) -> str:
        """Both nodes in one order."""
        return " ".join(sorted("/".join(key) for key in (self.a, self.b)))

    def columns(self) -> Row:
        """Return it as it is stored."""
        named = {"site_a": self.a[0], "node_a": self.a[1], "site_b": self.b[0], "node_b": self.b[1]}
        return {"pair": self.pair, **named, **{name: value for name, value in asdict(self).items() if name in FIELDS}}

    def physical(self) -> Pipe:
        """Return what the correlator needs. Raises InputDataError."""
        from leakear.dashboard.locate.pipes import pipe

        speed = None if self.speed_low is None or self.speed_high is None else (self.speed_low, self.speed_high)
        try:
            return pipe(self.length, self.material, diameter_mm=self.diameter, wall_mm=self.wall, speed=speed)
        except UsageError as error:
            raise InputDataError(f"This pipe cannot be: {error}.") from error

    def _check(self) -> None:
        from leakear.dashboard.locate.pipes import MATERIALS, SLOWEST, WATER_SPEED

        if self.a == self.b:
            raise InputDataError("A pipe has two different nodes: choose another one for B.")
        if not SHORTEST_M <= self.length <= LONGEST_M:
            raise InputDataError("The length of the pipe is not between 1 and 5000 m: measure along the pipe.")
        if self.material not in MATERIALS:
            raise InputDataError(f"There is no material {self.material[:20]!a}: choose one of {', '.join(MATERIALS)}.")
        if (self.diameter is None) != (self.wall is None):
            raise InputDataError("Diameter and wall of the pipe need each other: give both or none.")
        if self.diameter is not None and self.wall is not None and not 0 < 2 * self.wall < self.diameter <= 5000:
            raise InputDataError("Diameter and wall of the pipe do not fit each other: give both in mm.")
        if (self.speed_low is None) != (self.speed_high is None):
            raise InputDataError("The range of the speed needs its lowest and its highest value: give both or none.")
        if self.speed_low is not None and not SLOWEST <= self.speed_low <= (self.speed_high or 0) <= WATER_SPEED:
            raise InputDataError("The speed is not within 100 to 1480 m/s, or its lowest value is not the lower one.")
        self.physical()


def _key(value: Any) -> Key:
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(part, str) for part in value):
        raise InputDataError("A pipe needs two nodes: choose A and B.")
    who = Identity(*value)
    return who.site, who.node


def _number(values: dict[str, Any], name: str) -> float | None:
    value = values.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputDataError(f"The pipe's {name} is not a number.")
    return float(value)
