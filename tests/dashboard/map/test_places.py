"""Positions and pipes in both databases, and tiles of a file: kept, replaced, refused, told."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from leakear.dashboard.history.tables import actions
from leakear.dashboard.map import store
from leakear.dashboard.map.given import NetworkPipe, Placed
from leakear.dashboard.map.store import Places
from leakear.dashboard.map.tiles import Tiles
from leakear.edge.errors import ConfigError, InputDataError

HERE, THERE = (-46.63, -23.55), (-46.64, -23.56)
PIPE = NetworkPipe("P1", (HERE, THERE), 1500.0, 100.0, 130.0, "pvc", "PVC DN100", "J1", "J2")
TABLES = "CREATE TABLE metadata (name, value); CREATE TABLE tiles (zoom_level, tile_column, tile_row, tile_data)"


@pytest.fixture
def places(engine: Any) -> Places:
    return Places(engine)


def noted(places: Places) -> list[tuple[str, str, str]]:
    with places.engine.connect() as connection:
        found = connection.execute(select(actions.c.who, actions.c.what, actions.c.target).order_by(actions.c.id))
        return [(row[0], row[1], row[2]) for row in found]


def test_positions_are_kept_with_who_and_when_and_each_change_is_noted(places: Places) -> None:
    one, other = Placed(("site-a", "pit-1"), HERE, 6.0), Placed(("site-a", "pit-2"), THERE)
    places.place([one, other], "csv", "ana")
    places.place([Placed(one.key, THERE)], "click", "rui")
    first, second = Places(places.engine).positions()
    assert (first["longitude"], first["latitude"], first["source"], first["changed_by"]) == (*THERE, "click", "rui")
    assert first["changed"] >= second["changed"] > 0
    assert places.take_away(one.key, "ana")
    assert not places.take_away(one.key, "ana")
    assert noted(places) == [
        ("ana", "map.place", "site-a/pit-1"), ("ana", "map.place", "site-a/pit-2"),
        ("rui", "map.place", "site-a/pit-1"), ("ana", "map.remove", "site-a/pit-1"),
    ]  # fmt: skip


def test_pipes_are_kept_exactly_added_replaced_and_cleared(places: Places) -> None:
    places.lay([PIPE], "town.inp", "ana", replace=False)
    assert Places(places.engine).pipes() == [PIPE]
    longer = NetworkPipe("P1", PIPE.line, 1600.0)
    places.lay([longer, NetworkPipe("P2", PIPE.line, 10.0)], "more.geojson", "ana", replace=False)
    assert [(pipe.name, pipe.length) for pipe in places.pipes()] == [("P1", 1600.0), ("P2", 10.0)]
    places.lay([PIPE], "town.inp", "ana", replace=True)
    assert places.pipes() == [PIPE]
    assert places.clear("rui") == 1
    assert [row[1:] for row in noted(places)] == [
        ("map.pipes", "town.inp"), ("map.pipes", "more.geojson"), ("map.pipes", "town.inp"), ("map.clear", ""),
    ]  # fmt: skip


def test_too_much_and_double_names_change_nothing(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    places.lay([PIPE], "town.inp", "ana", replace=True)
    places.place([Placed(("a", "b"), HERE)], "click", "ana")
    monkeypatch.setattr(store, "MOST_PIPES", 1)
    monkeypatch.setattr(store, "MOST_POSITIONS", 1)
    with pytest.raises(InputDataError, match="same name"):
        places.lay([PIPE, PIPE], "twice.inp", "ana", replace=True)
    with pytest.raises(InputDataError, match="more than 1 pipes"):
        places.lay([NetworkPipe("P2", PIPE.line, 1.0)], "more.inp", "ana", replace=False)
    with pytest.raises(InputDataError, match="more than 1 positions"):
        places.place([Placed(("a", "c"), HERE)], "click", "ana")
    assert places.pipes() == [PIPE]
    assert [row["node"] for row in places.positions()] == ["b"]
    assert len(noted(places)) == 2


def made(path: Path, kind: str) -> Path:
    with closing(sqlite3.connect(path)) as file:
        file.executescript(TABLES)
        about = {"format": kind, "minzoom": "3", "maxzoom": "14", "attribution": "<a href='x'>A map</a>"}
        file.executemany("INSERT INTO metadata VALUES (?, ?)", about.items())
        file.execute("INSERT INTO tiles VALUES (3, 2, 6, ?)", (b"picture",))
        file.commit()
    return path


def test_tiles_of_a_file_count_rows_from_the_south(tmp_path: Path) -> None:
    tiles = Tiles(made(tmp_path / "town.mbtiles", "png"))
    assert tiles.tile(3, 2, 1) == (b"picture", "image/png")
    assert tiles.tile(3, 2, 6) is None
    assert tiles.tile(3, 8, 0) is None
    assert tiles.about()["maxzoom"] == 14


def test_a_file_that_is_no_map_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="raster tiles"):
        Tiles(made(tmp_path / "vector.mbtiles", "pbf"))
    wrong = tmp_path / "photo.mbtiles"
    wrong.write_bytes(b"a photo" * 100)
    for path in (wrong, tmp_path / "none.mbtiles"):
        with pytest.raises(ConfigError, match="not an MBTiles file"):
            Tiles(path)
