"""Which pipes are heard, and the way between two nodes: small networks whose answers are known by hand."""

import math
from typing import Any

import pytest

from leakear.dashboard.map.coverage import Graph, along, stretch
from leakear.dashboard.map.given import NetworkPipe
from leakear.dashboard.map.projection import EARTH_M, Point, length_of

DEGREE = math.radians(EARTH_M)
"""m in a degree at the equator"""


def at(x: float, y: float) -> Point:
    return x / DEGREE, y / DEGREE


def pipe(name: str, material: str, *points: Point, length: float | None = None) -> NetworkPipe:
    return NetworkPipe(name, points, length or length_of(list(points)), material=material)


def test_a_node_hears_half_the_spacing_of_the_material_to_both_sides() -> None:
    for material, reach in (("pvc", 40), ("iron", 65), ("", 40)):
        graph = Graph([pipe("p", material, at(0, 0), at(300, 0))])
        found = graph.coverage([at(150, 4)])
        whole, heard = found.by_material[material]
        assert whole == pytest.approx(300, rel=1e-3)
        assert heard == pytest.approx(2 * reach, abs=5)
        assert [len(line) for line in found.unheard] == [2, 2]
        assert sum(length_of(line) for line in found.unheard) == pytest.approx(300 - heard, abs=1)


def test_hearing_goes_round_corners_and_into_other_materials_but_not_across_a_street() -> None:
    street = pipe("beside", "iron", at(0, 20), at(100, 20))
    first, second = pipe("a", "iron", at(0, 0), at(32.5, 0)), pipe("b", "pvc", at(32.5, 0), at(32.5, -200))
    found = Graph([street, first, second]).coverage([at(0, -1)])
    assert found.by_material["iron"][1] == pytest.approx(32.5, abs=3), "the pipe beside is not joined"
    assert found.by_material["pvc"][1] == pytest.approx(20, abs=3), "half of the reach was used up on iron"


def test_nobody_listens_and_no_network() -> None:
    graph = Graph([pipe("p", "pvc", at(0, 0), at(50, 0))])
    assert graph.coverage([]).by_material["pvc"][1] == 0
    assert graph.coverage([at(25, 31)]).by_material["pvc"][1] == 0, "too far from the pipe to stand on it"
    empty = Graph([])
    assert empty.coverage([at(0, 0)]).unheard == []
    assert empty.way(at(0, 0), at(1, 1), 100) is None


def test_the_way_between_two_nodes_follows_the_pipes_with_their_corners() -> None:
    graph = Graph([pipe("a", "pvc", at(0, 0), at(50, 0), at(50, 50)), pipe("b", "pvc", at(50, 50), at(100, 50))])
    way = graph.way(at(0, 2), at(100, 52), 200)
    assert way is not None
    assert length_of(way) == pytest.approx(150, rel=0.01)
    assert graph.way(at(0, 2), at(100, 52), 140) is None, "longer than the pipe can be"
    assert graph.way(at(0, 2), at(300, 300), 900) is None, "no pipe there"
    corner: Any = along(way, [0.5])[0]
    assert corner == pytest.approx(at(50, 25), abs=1e-6)
    part = stretch(way, 0.2, 0.5)
    assert length_of(part) == pytest.approx(45, rel=0.02)


def test_two_pipes_between_the_same_ends_are_both_heard_by_their_own_length() -> None:
    graph = Graph([pipe("short", "iron", at(0, 0), at(60, 0)), pipe("long", "iron", at(0, 0), at(30, 40), at(60, 0))])
    found = graph.coverage([at(0, -1)])
    assert found.by_material["iron"][1] == pytest.approx(60 + 70, abs=6)
