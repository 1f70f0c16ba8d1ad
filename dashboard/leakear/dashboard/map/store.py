"""Keeps positions and the network. Each change is stored with who and when, and in the log of actions, at once."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, delete, func, insert, or_, select

from leakear.dashboard.fleet import Key
from leakear.dashboard.history import Row
from leakear.dashboard.history.tables import actions
from leakear.dashboard.map.clusters import Spread
from leakear.dashboard.map.given import NetworkPipe, Placed
from leakear.dashboard.map.tables import network, positions
from leakear.edge.errors import InputDataError

MOST_POSITIONS, MOST_PIPES = 200_000, 100_000
MOST_POINTS = 1_000_000
"""points of all pipes"""
BATCH = 500


class Places:
    """Blocking: the event loop calls it in a thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.version = 0
        """changes when the network does"""
        self.moved = 0
        """changes when a node's position does"""

    def positions(self) -> list[Row]:
        """Return the nodes that have a position."""
        with self.engine.connect() as connection:
            found = connection.execute(select(positions).order_by(positions.c.site, positions.c.node))
            return [dict(row) for row in found.mappings()]

    def positions_of(self, keys: Sequence[Key]) -> list[Row]:
        """Return those of some nodes."""
        found: list[Row] = []
        with self.engine.connect() as connection:
            for start in range(0, len(keys), BATCH):
                some = or_(*(_is(key) for key in keys[start : start + BATCH]))
                found += [dict(row) for row in connection.execute(select(positions).where(some)).mappings()]
        return found

    def stamp(self) -> tuple[int, float]:
        """Return what differs after every change, whoever made it: how many positions there are, and the last time."""
        with self.engine.connect() as connection:
            count, changed = connection.execute(select(func.count(), func.max(positions.c.changed))).one()
        return int(count), float(changed or 0.0)

    def spread(self) -> Spread:
        """Return where all nodes are, in little memory."""
        columns = (positions.c.site, positions.c.node, positions.c.longitude, positions.c.latitude)
        with self.engine.connect() as connection:
            rows = connection.execute(select(*columns)).all()
        points = np.array([(row.longitude, row.latitude) for row in rows], np.float64).reshape(-1, 2)
        return Spread(tuple((row.site, row.node) for row in rows), points)

    def pipes(self) -> list[NetworkPipe]:
        """Return the pipes of the network."""
        columns = [column for column in network.c if column.name not in ("source", "changed", "changed_by")]
        with self.engine.connect() as connection:
            found = connection.execute(select(*columns).order_by(network.c.name)).mappings()
            return [NetworkPipe(**{**row, "line": tuple(map(tuple, json.loads(row["line"])))}) for row in found]

    def place(self, placed: Sequence[Placed], source: str, who: str) -> None:
        """Store positions; the last one of a node counts. Raises InputDataError."""
        now = time.time()
        rows = {
            each.key: {
                "site": each.key[0], "node": each.key[1], "longitude": each.place[0], "latitude": each.place[1],
                "accuracy": each.accuracy, "source": source, "changed": now, "changed_by": who,
            }
            for each in placed
        }  # fmt: skip
        with self.engine.begin() as connection:
            for key in rows:
                connection.execute(delete(positions).where(_is(key)))
            self._insert(connection, positions, list(rows.values()))
            if (connection.scalar(select(func.count()).select_from(positions)) or 0) > MOST_POSITIONS:
                raise InputDataError(f"There would be more than {MOST_POSITIONS} positions: leave some out.")
            said = ("latitude", "longitude", "source")
            notes = [
                _action(who, now, "map.place", "/".join(key), {name: row[name] for name in said})
                for key, row in rows.items()
            ]
            self._insert(connection, actions, notes)
        self.moved += 1

    def take_away(self, key: Key, who: str) -> bool:
        """Remove a node's position; False when it has none."""
        with self.engine.begin() as connection:
            if not connection.execute(delete(positions).where(_is(key))).rowcount:
                return False
            connection.execute(insert(actions).values(**_action(who, time.time(), "map.remove", "/".join(key), {})))
        self.moved += 1
        return True

    def lay(self, pipes: Sequence[NetworkPipe], source: str, who: str, *, replace: bool) -> None:
        """Store pipes; one of the same name is replaced, with `replace` all are. Raises InputDataError."""
        now = time.time()
        rows = {pipe.name: _row(pipe, source, now, who) for pipe in pipes}
        if len(rows) < len(pipes):
            raise InputDataError("Two pipes have the same name: give each its own (`name` or `id`).")
        if sum(len(pipe.line) for pipe in pipes) > MOST_POINTS:
            raise InputDataError(f"The pipes have more than {MOST_POINTS} points: simplify their lines.")
        with self.engine.begin() as connection:
            names = list(rows)
            if replace:
                connection.execute(delete(network))
            for start in range(0, 0 if replace else len(names), BATCH):
                connection.execute(delete(network).where(network.c.name.in_(names[start : start + BATCH])))
            self._insert(connection, network, list(rows.values()))
            if (connection.scalar(select(func.count()).select_from(network)) or 0) > MOST_PIPES:
                raise InputDataError(f"There would be more than {MOST_PIPES} pipes: leave some out.")
            detail = {"pipes": len(rows), "replace": replace}
            connection.execute(insert(actions).values(**_action(who, now, "map.pipes", source, detail)))
        self.version += 1

    def clear(self, who: str) -> int:
        """Remove the network; return how many pipes there were."""
        with self.engine.begin() as connection:
            count = connection.execute(delete(network)).rowcount
            connection.execute(insert(actions).values(**_action(who, time.time(), "map.clear", "", {"pipes": count})))
        self.version += 1
        return count

    @staticmethod
    def _insert(connection: Connection, table: Any, rows: list[Row]) -> None:
        for start in range(0, len(rows), BATCH):
            connection.execute(insert(table), rows[start : start + BATCH])


def _is(key: Key) -> Any:
    return (positions.c.site == key[0]) & (positions.c.node == key[1])


def _row(pipe: NetworkPipe, source: str, now: float, who: str) -> Row:
    return {
        "name": pipe.name, "line": json.dumps(pipe.line), "length": pipe.length, "diameter": pipe.diameter,
        "roughness": pipe.roughness, "material": pipe.material, "said": pipe.said, "start": pipe.start, "end": pipe.end,
        "source": source, "changed": now, "changed_by": who,
    }  # fmt: skip


def _action(who: str, at: float, what: str, target: str, detail: Row) -> Row:
    return {"at": at, "who": who, "what": what, "target": target, "detail": json.dumps(detail)[:500]}
