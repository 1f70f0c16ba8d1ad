"""Reads pipes from an EPANET 2.2 input file (`.inp`): ends, vertices, length, diameter, roughness, material of tags.

Format: EPANET 2.2 User Manual, appendix C. Flow units decide: CFS, GPM, MGD, IMGD and AFD mean feet and inches.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from leakear.dashboard.map.given import Given, NetworkPipe, line_of, short
from leakear.dashboard.map.materials import material_of
from leakear.dashboard.map.projection import Point, System
from leakear.edge.errors import InputDataError

US_FLOWS = ("CFS", "GPM", "MGD", "IMGD", "AFD")
FOOT_M, INCH_MM = 0.3048, 25.4
_SECTIONS = ("[PIPE", "[OPTI", "[COOR", "[VERT", "[TAGS", "[BACK", "[VALV", "[PUMP")
"""EPANET itself compares no more than these characters"""


@dataclass
class Row:
    """A line of [PIPES], in the file's units."""

    name: str
    start: str
    end: str
    length: float
    diameter: float
    roughness: float


@dataclass
class InpFile:
    """What the file says, in its own units and coordinates."""

    pipes: list[Row] = field(default_factory=list)
    nodes: dict[str, Point] = field(default_factory=dict)
    vertices: dict[str, list[Point]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    flow: str = "GPM"
    map_units: str = ""
    others: int = 0
    """valves and pumps"""

    @property
    def metres(self) -> float:
        """Metres in the file's unit of length."""
        return FOOT_M if self.flow in US_FLOWS else 1.0

    @property
    def millimetres(self) -> float:
        """Millimetres in its unit of diameter."""
        return INCH_MM if self.flow in US_FLOWS else 1.0

    def line(self, row: Row) -> list[Point]:
        """Return a pipe's line; [] when an end has no coordinates."""
        ends = [self.nodes.get(row.start), self.nodes.get(row.end)]
        if ends[0] is None or ends[1] is None:
            return []
        return [ends[0], *self.vertices.get(row.name, []), ends[1]]


def parse(text: str) -> InpFile:
    """Read the sections. Raises InputDataError, which names the line."""
    found = InpFile()
    for number, section, words in _lines(text):
        try:
            _take(found, section, words)
        except (ValueError, IndexError) as error:
            raise InputDataError(f"Line {number} of {section}…] cannot be read: compare it with EPANET's.") from error
    if not found.pipes:
        raise InputDataError("The file has no pipes: choose an EPANET input file (.inp) with a section [PIPES].")
    return found


def read(text: str, system: System) -> Given:
    """Return the pipes with places in degrees. Raises InputDataError."""
    found = parse(text)
    if not found.nodes:
        raise InputDataError("The file has no [COORDINATES]: save it with them, or give the pipes as GeoJSON.")
    everywhere = [*found.nodes.values(), *(point for line in found.vertices.values() for point in line)]
    metres = FOOT_M if found.map_units == "FEET" or (not found.map_units and found.metres < 1) else 1.0
    unproject = system.unproject(everywhere, metres)
    given = Given(left_out=found.others)
    for row in found.pipes:
        line = found.line(row)
        if len(set(line)) < 2:
            given.left_out += 1
            continue
        given.pipes.append(_pipe(row, found, [unproject(*point) for point in line]))
    return given


def _pipe(row: Row, found: InpFile, line: list[Point]) -> NetworkPipe:
    said = found.tags.get(row.name, "")
    return NetworkPipe(
        name=short(row.name), line=line_of(line, f"Pipe {row.name[:40]}"), length=row.length * found.metres,
        diameter=row.diameter * found.millimetres, roughness=row.roughness, material=material_of(said),
        said=short(said), start=short(row.start), end=short(row.end),
    )  # fmt: skip


def _lines(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield number, section and words of each line of a section that counts; comments begin with a semicolon."""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition(";")[0].split()
        if not words:
            continue
        if words[0].startswith("["):
            section = words[0][:5].upper()
            if section.startswith("[END"):
                return
        elif section in _SECTIONS:
            yield number, section, words


def _take(found: InpFile, section: str, words: list[str]) -> None:
    if section == "[PIPE":
        numbers = [_number(word) for word in words[3:6]]
        found.pipes.append(Row(words[0], words[1], words[2], numbers[0], numbers[1], numbers[2]))
    elif section == "[COOR":
        found.nodes[words[0]] = (_number(words[1]), _number(words[2]))
    elif section == "[VERT":
        found.vertices.setdefault(words[0], []).append((_number(words[1]), _number(words[2])))
    elif section == "[TAGS" and words[0].upper() == "LINK":
        found.tags[words[1]] = " ".join(words[2:])
    elif section == "[OPTI" and words[0].upper() == "UNITS":
        found.flow = words[1].upper()
    elif section == "[BACK" and words[0].upper() == "UNITS":
        found.map_units = "" if words[1].upper() == "NONE" else words[1].upper()
    elif section in ("[VALV", "[PUMP"):
        found.others += 1


def _number(word: str) -> float:
    value = float(word)
    if not math.isfinite(value):
        raise ValueError(word)
    return value
