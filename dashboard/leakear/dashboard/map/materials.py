"""Names of pipe materials in the files of utilities, and how far a node hears in each."""

import re

UNKNOWN = ""
_WORDS = (
    ("pvc", r"u?pvc|pvc-?[uoma]|c-?pvc|opvc|defofo|polyvinyl.*"),
    ("pe", r"[hlm]?d?pe(80|100)?|pead|pebd|mdpe|hppe|polyethylene|polietileno|poly"),
    ("cement", r"ac|a-?c|fc|cimento|cement|asbestos.*|fibrocement.*|fibrocimento|concrete|concreto|rcp|pccp"),
    ("copper", r"cu|copper|cobre"),
    ("steel", r"st|stl|steel|aco|aço|galv.*|gi|mscl"),
    ("iron", r"[cdg]i(cl)?|[cd]ip|iron|fofo|f°f°|ferro|cast.*|ductile.*|grey|gray|spun"),
)
SPACING_M = {"steel": 130.0, "iron": 130.0, "copper": 130.0, "cement": 80.0, "pvc": 80.0, "pe": 80.0, UNKNOWN: 80.0}
"""m between two nodes. In use are 80 m on PVC and 130 m on iron and steel (makers of loggers and correlators). For
other materials none is published: copper carries as steel does; for the rest the shortest is taken."""


def material_of(words: str) -> str:
    """Return the material that a file's words name, one of `SPACING_M`; UNKNOWN when they name none."""
    parts = re.split(r"[\s/,;_()\[\]:=]+|(?<=\D)-|(?<=[a-zç°])(?=\d)", words.strip().lower())
    for name, pattern in _WORDS:
        if any(re.fullmatch(pattern, part) for part in parts if part):
            return name
    return UNKNOWN


def reach(material: str) -> float:
    """Return how far a node is taken to hear along a pipe, m: half the spacing in use."""
    return SPACING_M[material] / 2
