"""Reads from the database what the order of visits depends on."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, Engine

from leakear.dashboard.fleet.node import Key
from leakear.dashboard.history.nights import judged_nights
from leakear.dashboard.history.rows import Row
from leakear.dashboard.nights.rises import outlooks
from leakear.dashboard.priority.order import Facts, priority

NIGHTS = 90
"""nights of a node that are looked at"""
OVER = ("repaired", "verified", "closed")
"""status of a case that nobody has to visit now"""


def ranked(engine: Engine, cases: Sequence[Row], now: float) -> list[Row]:
    """Return cases with their priority, those to visit first; what needs no visit follows."""
    waiting = Counter(case["site"] for case in cases if case["status"] not in OVER)
    with engine.connect() as connection:
        found = [case | {"priority": _of(connection, case, waiting, now)} for case in cases]
    return sorted(found, key=_place)


def _place(case: Row) -> tuple[float, float]:
    return -case["priority"]["points"] if case["priority"] else math.inf, -case["opened"]


def _of(connection: Connection, case: Row, waiting: Counter[str], now: float) -> Row | None:
    if case["status"] in OVER:
        return None
    levels, spreads = _nights(connection, (case["site"], case["node"]))
    rise = outlooks(np.array([levels], np.float64).reshape(1, -1))[0].now
    leaks = sum(change["who"] == "leakear" and change["what"] in ("open", "note") for change in case["changes"])
    facts = Facts(
        suspected_s=now - case["since"], leaks=leaks, false_per_year=rise.false_per_year if rise else None,
        levels=levels, spreads=spreads, neighbours=waiting[case["site"]] - 1,
    )  # fmt: skip
    return priority(facts).to_dict()


def _nights(connection: Connection, key: Key) -> tuple[list[float], list[float]]:
    rows = judged_nights(connection, key, NIGHTS)
    return [row.level for row in rows], [row.spread for row in rows if row.spread is not None]
