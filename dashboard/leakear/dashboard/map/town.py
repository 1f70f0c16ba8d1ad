"""All that the map shows, and the changes that people make to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, select

from leakear.dashboard.fleet import Fleet, Key
from leakear.dashboard.history import Row
from leakear.dashboard.history.case_tables import cases
from leakear.dashboard.map import epanet, geojson, table
from leakear.dashboard.map.clusters import Box, Spread, clusters
from leakear.dashboard.map.coverage import Coverage, Graph
from leakear.dashboard.map.given import Given
from leakear.dashboard.map.located import stretches
from leakear.dashboard.map.materials import SPACING_M, UNKNOWN
from leakear.dashboard.map.projection import System
from leakear.dashboard.map.store import Places
from leakear.dashboard.map.tiles import Tiles
from leakear.dashboard.pipes.locations import Locations
from leakear.dashboard.pipes.store import Pipes
from leakear.dashboard.views.index import Index, Rows
from leakear.edge.errors import InputDataError

READERS = {".inp": epanet.read, ".geojson": geojson.read, ".json": geojson.read, ".csv": table.read, ".txt": table.read}
WHOLE = 5000
"""positions up to which a page is sent all of them; beyond, it asks for clusters"""
FRESH_S = 30.0
"""seconds after which it is looked whether another process has changed positions"""
DEAF = ("SENSOR_FAULT", "UNKNOWN")


class Town:
    """Blocking but for `listening`: the event loop calls it in a thread."""

    def __init__(self, engine: Engine, pipes: Pipes, locations: Locations, tiles: Path | None) -> None:
        self.places = Places(engine)
        self.tiles = None if tiles is None else Tiles(tiles)
        self._engine, self._pipes, self._locations = engine, pipes, locations
        self._lock = threading.Lock()
        self._graph: tuple[int, Graph] | None = None
        self._spread = Spread((), np.zeros((0, 2)))
        self._read: tuple[int, tuple[int, float]] = (-1, (0, 0.0))
        """what the positions were read by: changes here, and those of all processes"""
        self._looked = 0.0
        self._rows: tuple[Spread | None, int, Rows] = (None, 0, np.zeros(0, np.intp))

    @staticmethod
    def listening(fleet: Fleet) -> set[Key]:
        """Return the nodes that hear now."""
        return {node.key for node in fleet if node.presence == "online" and node.state not in DEAF}

    def shown(self) -> dict[str, Any]:
        """Return positions, stretches with located leaks, and open cases."""
        spread = self.spread()
        drawn = stretches(self._pipes.all(), self._locations.latest(), spread.places, self.graph())
        tiles = None if self.tiles is None else self.tiles.about()
        rows = self.places.positions() if len(spread.keys) <= WHOLE else None
        shown = {"positions": rows, "count": len(spread.keys), "box": spread.box}
        return {**shown, "stretches": drawn, "cases": self._open_cases(), "tiles": tiles}

    def spread(self) -> Spread:
        """Return where all nodes are; read anew where it changed: here at once, elsewhere after FRESH_S."""
        with self._lock:
            moved, now = self.places.moved, time.monotonic()
            if self._read[0] != moved or now - self._looked > FRESH_S:
                self._looked, stamp = now, (moved, self.places.stamp())
                if stamp != self._read:
                    self._read, self._spread = stamp, self.places.spread()
            return self._spread

    def clusters(self, fleet: Fleet, index: Index, box: Box, zoom: int) -> list[Row]:
        """Return the marks of nodes in a box; a mark of one node has its position under `placed`."""
        spread = self.spread()
        if self._rows[:2] != (spread, index.joined):
            joined = index.joined
            self._rows = (spread, joined, index.rows_of(fleet.get(key) for key in spread.keys))
        marks = clusters(spread, index.kinds(self._rows[2]), box, zoom)
        single = [mark["key"] for mark in marks if mark["count"] == 1]
        places = self.places.positions_of([tuple(key.split("/")) for key in single])
        placed = {f"{row['site']}/{row['node']}": row for row in places}
        return [mark | ({"placed": placed.get(mark["key"])} if mark["count"] == 1 else {}) for mark in marks]

    def network(self) -> dict[str, Any]:
        """Return the pipes of the town."""
        columns = ("name", "material", "said", "diameter", "length", "line")
        pipes = [[getattr(pipe, name) for name in columns] for pipe in self.places.pipes()]
        return {"columns": columns, "pipes": pipes}

    def coverage(self, listening: Iterable[Key]) -> dict[str, Any]:
        """Return what the nodes that hear now hear of the network."""
        places = self.spread().places
        found: Coverage = self.graph().coverage([places[key] for key in listening if key in places])
        sums = {name or "unknown": [round(value) for value in both] for name, both in found.by_material.items()}
        spacing = {name or "unknown": metres for name, metres in SPACING_M.items()}
        return {"by_material": sums, "unheard": found.unheard, "spacing_m": spacing}

    def read(self, name: str, text: str, system: System) -> Given:
        """Read an uploaded file by the end of its name. Raises InputDataError."""
        reader = READERS.get(Path(name).suffix.lower())
        if reader is None:
            raise InputDataError(f"{name[:80]!a} is none of .inp, .geojson, .json, .csv: save it as one of them.")
        return reader(text, system)

    def take(self, given: Given, name: str, who: str, *, replace: bool) -> dict[str, int]:
        """Store what a file holds; return counts for the page."""
        if given.placed:
            source = "csv" if name.lower().endswith((".csv", ".txt")) else "geojson"
            self.places.place(given.placed, source, who)
        if given.pipes:
            self.places.lay(given.pipes, name[:80], who, replace=replace)
        unknown = sum(pipe.material == UNKNOWN for pipe in given.pipes)
        counts = {"placed": len(given.placed), "pipes": len(given.pipes)}
        return {**counts, "unknown": unknown, "left_out": given.left_out}

    def geojson(self, states: dict[Key, str]) -> str:
        """Return all of the map for other programs (RFC 7946). `states`: what each node is now."""
        shown = self.shown()
        rows = self.places.positions() if shown["positions"] is None else shown["positions"]
        features = [
            geojson.feature(
                "node", (row["longitude"], row["latitude"]), _node(row, states), f"{row['site']}/{row['node']}"
            )
            for row in rows
        ]
        for pipe in self.places.pipes():
            said = {"name": pipe.name, "length": pipe.length, "diameter": pipe.diameter}
            features.append(geojson.feature("pipe", list(pipe.line), {**said, "material": pipe.said or pipe.material}))
        for one in shown["stretches"]:
            features += _located(one)
        make = partial(geojson.feature, "case")
        features += [
            make(
                (case["longitude"], case["latitude"]),
                {name: case[name] for name in ("site", "node", "status")},
                case["id"],
            )
            for case in shown["cases"]
            if case["longitude"] is not None and case["latitude"] is not None
        ]
        return geojson.collection(features)

    def graph(self) -> Graph:
        """Return the network as a graph, made once for each change of it."""
        with self._lock:
            version = self.places.version
            if self._graph is None or self._graph[0] != version:
                self._graph = (version, Graph(self.places.pipes()))
            return self._graph[1]

    def _open_cases(self) -> list[Row]:
        columns = (cases.c.id, cases.c.site, cases.c.node, cases.c.status, cases.c.latitude, cases.c.longitude)
        with self._engine.connect() as connection:
            found = connection.execute(select(*columns).where(cases.c.closed.is_(None))).mappings()
            return [dict(row) for row in found]


def _node(row: Row, states: dict[Key, str]) -> dict[str, Any]:
    names = ("site", "node", "source", "changed", "changed_by")
    return {name: row[name] for name in names} | {"state": states.get((row["site"], row["node"]))}


def _located(one: Row) -> list[dict[str, Any]]:
    said = {name: one[name] for name in ("a", "b", "length", "material", "routed")}
    made = [geojson.feature("stretch", one["line"], said, one["id"])]
    leak = one["leak"]
    if leak is not None:
        where = {name: leak[name] for name in ("location", "heard", "position_m", "interval_95_m")}
        made.append(geojson.feature("leak", tuple(leak["place"]), where))
        made.append(geojson.feature("interval 95 %", leak["line"], where))
    return made
