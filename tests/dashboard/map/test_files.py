"""Files of others: EPANET pipe by pipe against wntr, projections against pyproj, GeoJSON against shapely, tables."""

import json
from pathlib import Path
from typing import Any

import pytest

from leakear.dashboard.map import epanet, geojson, table
from leakear.dashboard.map.materials import material_of
from leakear.dashboard.map.projection import System, length_of, utm
from leakear.edge.errors import InputDataError

DEGREES = System()
TOWN = """[TITLE]
A small town ; not a section
[JUNCTIONS]
;ID  Elev
 J1  10
 J2  10
[RESERVOIRS]
 R1  50
[PIPES]
;ID  Node1 Node2 Length Diameter Roughness MinorLoss Status
 P1  R1  J1  120.5  150  130  0  Open ;
 P2  J1  J2  80     100  140  0  CV
 P3  J1  NOWHERE 10 100  140
[PUMPS]
 X1  R1 J1 HEAD 1
[TAGS]
 NODE J1 corner
 LINK P2 PVC DN100
[OPTIONS]
 UNITS LPS
 HEADLOSS H-W
[COORDINATES]
 R1  -46.6400 -23.5500
 J1  -46.6390 -23.5500
 J2  -46.6390 -23.5492
[VERTICES]
 P1  -46.6395 -23.5499
[END]
[PIPES]
 P9 J1 J2 1 1 1
"""
wntr = pytest.importorskip("wntr", reason="wntr is not installed: pip install -e '.[dev]'")
NETWORKS = sorted((Path(wntr.__file__).parent / "library/networks").glob("*.inp"))


def test_a_small_network_with_everything() -> None:
    given = epanet.read(TOWN, DEGREES)
    one, two = given.pipes
    assert (one.name, one.start, one.end, one.length, one.diameter, one.roughness) == (
        "P1",
        "R1",
        "J1",
        120.5,
        150,
        130,
    )
    assert one.line == ((-46.64, -23.55), (-46.6395, -23.5499), (-46.639, -23.55))
    assert (one.material, two.material, two.said) == ("", "pvc", "PVC DN100")
    assert given.left_out == 2, "the pump, and the pipe without a place"


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_epanet_networks_are_read_as_wntr_reads_them_pipe_by_pipe(path: Path) -> None:
    found = epanet.parse(path.read_text(encoding="utf-8", errors="replace"))
    judge = wntr.network.WaterNetworkModel(str(path))
    assert {row.name for row in found.pipes} == set(judge.pipe_name_list)
    for row in found.pipes:
        pipe = judge.get_link(row.name)
        assert (row.start, row.end) == (pipe.start_node_name, pipe.end_node_name)
        assert row.length * found.metres == pytest.approx(pipe.length, rel=1e-9)
        assert row.diameter * found.millimetres == pytest.approx(1000 * pipe.diameter, rel=1e-9)
        assert row.roughness == pytest.approx(pipe.roughness, rel=1e-9)
        ends = (pipe.start_node.coordinates, pipe.end_node.coordinates)
        assert found.line(row) == [ends[0], *pipe.vertices, ends[1]]
    assert found.others == len(judge.pump_name_list) + len(judge.valve_name_list)


def test_a_network_in_feet_keeps_its_shape_when_it_is_put_at_a_place() -> None:
    net3 = next(path for path in NETWORKS if path.stem == "Net3").read_text(encoding="utf-8", errors="replace")
    given = epanet.read(net3, System("plane", middle=(-46.6, -23.5)))
    places = [point for pipe in given.pipes for point in pipe.line]
    middle = [(min(axis) + max(axis)) / 2 for axis in zip(*places, strict=True)]
    assert middle == pytest.approx([-46.6, -23.5], abs=0.01)
    with pytest.raises(InputDataError, match="choose what its coordinates are"):
        epanet.read(TOWN.replace("-46.6400", "333000"), DEGREES)


def test_utm_is_that_of_pyproj() -> None:
    pyproj = pytest.importorskip("pyproj", reason="pyproj is not installed: pip install -e '.[dev]'")
    for code, zone, south in ((32723, 23, True), (32633, 33, False), (31983, 23, True)):
        judge = pyproj.Transformer.from_crs(code, 4326, always_xy=True)
        inverse = utm(zone, south=south)
        for east in (200_000.0, 333_000.0, 500_000.0, 800_000.0):
            for north in (1_000.0, 3_000_000.0, 7_394_000.0, 9_300_000.0):
                assert inverse(east, north) == pytest.approx(judge.transform(east, north), abs=1e-7)  # 1 cm


def test_pipes_of_a_geojson_with_utm_and_its_nodes() -> None:
    line = {"type": "LineString", "coordinates": [[333000, 7394000], [333100, 7394000, 5]]}
    point = {"type": "Point", "coordinates": [333050, 7394000]}
    features: list[dict[str, Any]] = [
        {"type": "Feature", "id": 7, "geometry": line, "properties": {"material": "F°F°", "DN": "100"}},
        {"type": "Feature", "geometry": point, "properties": {"site": "centro", "node": "poco-1"}},
        {"type": "Feature", "geometry": None, "properties": None},
    ]
    given = geojson.read(json.dumps({"type": "FeatureCollection", "features": features}), System("utm", "23S"))
    (pipe,), (node,) = given.pipes, given.placed
    assert (pipe.name, pipe.material, pipe.diameter) == ("7", "iron", 100)
    assert pipe.length == pytest.approx(100, rel=0.006)
    assert node.key == ("centro", "poco-1")
    assert length_of([pipe.line[0], node.place]) == pytest.approx(50, rel=0.006)
    assert given.left_out == 1


def test_what_is_written_is_read_by_shapely_and_by_the_letter_of_the_rfc() -> None:
    shapely = pytest.importorskip("shapely", reason="shapely is not installed: pip install -e '.[dev]'")
    made = [
        geojson.feature("node", (-46.633308123456, -23.55052), {"state": "OK"}, "site/one"),
        geojson.feature("pipe", [(-46.6, -23.5), (-46.61, -23.51)], {"length": None}),
    ]
    text = geojson.collection(made)
    shapes = list(shapely.from_geojson(text).geoms)
    assert [shape.geom_type for shape in shapes] == ["Point", "LineString"]
    assert shapes[0].coords[0] == (-46.6333081, -23.55052)
    assert_rfc_7946(json.loads(text))


def assert_rfc_7946(data: dict[str, Any]) -> None:
    """RFC 7946, sections 3.1 to 3.3 and 4: types, members, longitude before latitude on WGS 84, no `crs`."""
    numbers = [{"type": "number", "minimum": -limit, "maximum": limit} for limit in (180, 90)]
    position = {"type": "array", "minItems": 2, "maxItems": 3, "prefixItems": numbers}
    kinds = {"Point": position, "LineString": {"type": "array", "minItems": 2, "items": position}}
    geometries = [
        {"properties": {"type": {"const": kind}, "coordinates": shape}, "required": ["type", "coordinates"]}
        for kind, shape in kinds.items()
    ]
    members = {
        "type": {"const": "Feature"},
        "id": {"type": ["string", "number"]},
        "properties": {"type": ["object", "null"]},
        "geometry": {"oneOf": geometries},
    }
    feature = {"type": "object", "required": ["type", "geometry", "properties"], "properties": members}
    schema = {
        "type": "object",
        "required": ["type", "features"],
        "not": {"required": ["crs"]},
        "properties": {"type": {"const": "FeatureCollection"}, "features": {"type": "array", "items": feature}},
    }
    import jsonschema

    jsonschema.Draft202012Validator(schema).validate(data)


def test_tables_with_commas_semicolons_and_other_names_for_columns() -> None:
    plain = "site,node,latitude,longitude\ncentro,poco-1,-23.55,-46.63\n\n"
    brazil = "\ufeffNó;Local;Lat;Lon\r\npoco-1;centro;-23,55;-46,63\r\n"
    for text in (plain, brazil):
        (one,) = table.read(text, DEGREES).placed
        assert (one.key, one.place) == (("centro", "poco-1"), (-46.63, -23.55))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("site,node,lat\na,b,1\n", "no column longitude"),
        ("site,node,lat,lon\na,b,1,here\n", "Line 2 has no number"),
        ("site,node,lat,lon\na,b,91,0\n", "Line 2 is not at a longitude"),
        ("site,node,lat,lon\na,b c,1,0\n", "Line 2: node is 'b c'"),
        ("site,node,lat,lon\na\n", "Line 2 has no number"),
        ("site,node,lat,lon\n", "no lines"),
        ("", "no column"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_by_line(text: str, sentence: str) -> None:
    with pytest.raises(InputDataError, match=sentence):
        table.read(text, DEGREES)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not JSON"),
        ("[]", "no FeatureCollection"),
        ('{"type": "FeatureCollection", "features": []}', "no line and no point"),
        ('{"type":"Feature","geometry":{"type":"LineString","coordinates":[[1,2]]},"properties":{}}', "two or more"),
        ('{"type":"Feature","geometry":{"type":"LineString","coordinates":[[1,2],[1,2]]}}', "both ends at one place"),
        ('{"type":"Feature","geometry":{"type":"Point","coordinates":[1]},"properties":{"node":"a"}}', "names no node"),
    ],
)
def test_geojson_that_cannot_be_used_is_told_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InputDataError, match=sentence):
        geojson.read(text, DEGREES)


@pytest.mark.parametrize(
    "text", ["", "[PIPES]\n", "[PIPES]\nP1 A B x 1 1\n", "[PIPES]\nP1 A\n", "[PIPES]\nP A B 1 nan 1"]
)
def test_an_input_file_that_cannot_be_used_is_told_in_a_sentence(text: str) -> None:
    with pytest.raises(InputDataError):
        epanet.read(text, DEGREES)


@pytest.mark.parametrize(
    ("words", "material"),
    [
        ("PVC", "pvc"), ("DN100 PVC-U", "pvc"), ("HDPE100", "pe"), ("PEAD", "pe"), ("Ductile Iron", "iron"),
        ("FoFo", "iron"), ("DI", "iron"), ("AC", "cement"), ("Cimento-amianto", "cement"), ("Steel", "steel"),
        ("Aço", "steel"), ("DeFoFo", "pvc"), ("Cu", "copper"), ("", ""), ("wood", ""), ("zone 3", ""),
    ],
)  # fmt: skip
def test_words_of_utilities_name_materials(words: str, material: str) -> None:
    assert material_of(words) == material
