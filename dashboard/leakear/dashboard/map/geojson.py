"""GeoJSON (RFC 7946): reads nodes from points and pipes from lines, writes what the map shows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from leakear.dashboard.map.given import Given, NetworkPipe, line_of, placed, short
from leakear.dashboard.map.materials import material_of
from leakear.dashboard.map.projection import Point, System, length_of
from leakear.edge.errors import InputDataError

DIGITS = 7
"""of a degree: 1 cm"""
NAMES = ("name", "id", "ID", "dc_id", "pipe", "fid", "OBJECTID")
LENGTHS, DIAMETERS = ("length", "length_m", "comprimento"), ("diameter", "diameter_mm", "dn", "DN", "diametro")
MATERIALS = ("material", "Material", "MATERIAL", "mat")


def read(text: str, system: System) -> Given:
    """Return nodes and pipes of a FeatureCollection. Raises InputDataError, which names the feature."""
    features = _features(text)
    every = [point for each in features for point in _points(_geometry(each).get("coordinates"))]
    unproject = system.unproject(every)
    given = Given()
    for number, feature in enumerate(features, 1):
        geometry, said = _geometry(feature), feature.get("properties")
        properties: dict[str, Any] = said if isinstance(said, dict) else {}
        kind, what = geometry.get("type"), f"Feature {number}"
        if kind == "Point" and "node" in properties:
            points = _points(geometry.get("coordinates"))
            place = unproject(*points[0]) if points else (None, None)
            given.placed.append(placed(properties.get("site"), properties["node"], place, what))
        elif kind in ("LineString", "MultiLineString"):
            lines = [geometry.get("coordinates")] if kind == "LineString" else geometry.get("coordinates") or []
            for part, line in enumerate(lines, 1):
                named = {**properties, "id": feature.get("id", properties.get("id"))}
                made = [unproject(*point) for point in _points(line)]
                given.pipes.append(_pipe(made, named, number, part if len(lines) > 1 else 0, what))
        else:
            given.left_out += 1
    if not given.placed and not given.pipes:
        raise InputDataError("There is no line and no point with the properties site and node: give one of them.")
    return given


def _features(text: str) -> list[dict[str, Any]]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputDataError("The file is not JSON: save it as GeoJSON (RFC 7946).") from error
    if isinstance(data, dict) and data.get("type") == "Feature":
        data = {"type": "FeatureCollection", "features": [data]}
    found = data.get("features") if isinstance(data, dict) and data.get("type") == "FeatureCollection" else None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise InputDataError("The file is no FeatureCollection: save it as GeoJSON (RFC 7946).")
    return found


def _geometry(feature: Mapping[str, Any]) -> dict[str, Any]:
    found = feature.get("geometry")
    return found if isinstance(found, dict) else {}


def _points(coordinates: Any) -> list[Point]:
    """Return every position of a geometry, whatever its depth."""
    if not isinstance(coordinates, list):
        return []
    if len(coordinates) >= 2 and all(isinstance(value, int | float) for value in coordinates[:2]):
        return [(float(coordinates[0]), float(coordinates[1]))]
    return [point for inner in coordinates if isinstance(inner, list) for point in _points(inner)]


def _pipe(line: list[Point], said: dict[str, Any], number: int, part: int, what: str) -> NetworkPipe:
    name = short(next((said[key] for key in NAMES if said.get(key) not in (None, "")), f"pipe {number}"))
    checked = line_of(line, what)
    word = short(next((said[key] for key in MATERIALS if said.get(key)), ""))
    return NetworkPipe(
        name=short(f"{name} {part}") if part else name, line=checked,
        length=(None if part else _number(said, LENGTHS)) or length_of(list(checked)),
        diameter=_number(said, DIAMETERS), roughness=_number(said, ("roughness",)),
        material=material_of(word), said=word,
    )  # fmt: skip


def _number(said: Mapping[str, Any], names: Iterable[str]) -> float | None:
    """Return the first positive number of these properties."""
    for name in names:
        try:
            value = float(said.get(name) or 0)
        except (TypeError, ValueError):
            continue
        if math.isfinite(value) and value > 0:
            return value
    return None


def feature(
    kind: str, coordinates: Any, properties: Mapping[str, Any], feature_id: str | None = None
) -> dict[str, Any]:
    """Return a Feature; one position is a Point, several are a LineString. `coordinates`: longitude before latitude."""
    one = isinstance(coordinates, tuple) and len(coordinates) == 2 and isinstance(coordinates[0], float)
    geometry = {"type": "Point" if one else "LineString", "coordinates": _rounded(coordinates)}
    made = {"type": "Feature", "geometry": geometry, "properties": {"kind": kind, **properties}}
    return made if feature_id is None else {**made, "id": feature_id}


def _rounded(coordinates: Any) -> Any:
    if isinstance(coordinates, int | float):
        return round(coordinates, DIGITS)
    return [_rounded(each) for each in coordinates]


def collection(features: list[dict[str, Any]]) -> str:
    """Return a FeatureCollection as text."""
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False, allow_nan=False)
