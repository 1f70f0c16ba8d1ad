"""Raster tiles of one MBTiles file (version 1.3): a table `tiles` with rows counted from the south."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from leakear.edge.errors import ConfigError

TYPES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp"}


class Tiles:
    """Blocking: the event loop calls it in a thread. Each call opens the file, so that it may be replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._about()

    def about(self) -> dict[str, Any]:
        """Return zoom levels and the attribution that the makers of the map ask for."""
        said = self._about()
        levels = {name: int(said[name]) if said.get(name, "").isdigit() else default
                  for name, default in (("minzoom", 0), ("maxzoom", 18))}  # fmt: skip
        return {**levels, "attribution": said.get("attribution", "")[:500], "name": said.get("name", "")[:100]}

    def tile(self, zoom: int, column: int, row: int) -> tuple[bytes, str] | None:
        """Return a tile and its media type; None when the file has none there. `row`: from the north."""
        if not 0 <= zoom <= 30 or not 0 <= column < 1 << zoom or not 0 <= row < 1 << zoom:
            return None
        wanted = "SELECT tile_data FROM tiles WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?"
        with closing(self._open()) as file:
            found = file.execute(wanted, (zoom, column, (1 << zoom) - 1 - row)).fetchone()
        return None if found is None else (bytes(found[0]), TYPES[self._about()["format"]])

    def _about(self) -> dict[str, str]:
        if self._path.exists() and not self._path.is_file():  # a pipe: nobody may ever write into it
            raise ConfigError(f"--map-tiles {self._path} is no file: name an MBTiles file.")
        try:
            with closing(self._open()) as file:
                said = {str(name): str(value) for name, value in file.execute("SELECT name, value FROM metadata")}
                file.execute("SELECT tile_data FROM tiles LIMIT 1")
        except sqlite3.Error as error:
            raise ConfigError(f"--map-tiles {self._path} is not an MBTiles file: {error}.") from error
        if said.get("format") not in TYPES:
            raise ConfigError(
                f"--map-tiles {self._path} holds {said.get('format', 'unnamed')[:20]!a} tiles: "
                "use raster tiles (png, jpg, webp)."
            )
        return said

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)
