"""Writes the health report of a fleet: which nodes need care, and what to do for each. Pure."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from leakear.dashboard.i18n import texts
from leakear.dashboard.reports.brand import Brand
from leakear.dashboard.reports.document import Block, Document, Facts, Heading, Paragraph, Table
from leakear.edge import __version__

FAULTS = ("deaf", "power")
"""kinds of problems whose reason is a list of faults"""
ROWS = 200
"""nodes of one kind of problem in one report at most"""


def health_document(care: Mapping[str, Any], at: float, language: str, brand: Brand) -> Document:
    """Write the report. `care`: as `health.problems.to_json` returns it; `at`: when it held, POSIX seconds."""
    known = texts(language)
    when, made = (f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC" for moment in (at, time.time()))
    ill = {(site, node) for rows in care["problems"].values() for site, node, _ in rows}
    blocks: list[Block] = [
        Paragraph(known["health.state"].format(when=when)),
        Facts([(known["health.nodes"], str(care["nodes"])), (known["health.ill"], str(len(ill)))]),
    ]
    for kind, found in care["problems"].items():
        comma = kind == "drifting" and language != "en"
        rows = [(site, node, why.replace(".", ",") if comma else why) for site, node, why in found]
        if rows:
            blocks += [Heading(f"{known[f'health.{kind}']}: {len(rows)}"), _table(kind, rows[:ROWS], known)]
        if len(rows) > ROWS:
            blocks.append(Paragraph(known["doc.more"].format(count=len(rows) - ROWS)))
    if not ill:
        blocks.append(Paragraph(known["health.well"]))
    versions = [(versioned(name, known), str(count)) for name, count in care["versions"].items()]
    blocks += [Heading(known["health.versions"]), Facts(versions) if versions else Paragraph(known["doc.none"])]
    text = known["health.made"].format(when=made, version=__version__)
    return Document(known["health"], text, language, brand.name, brand.picture(), blocks)


def versioned(name: str, known: Mapping[str, str]) -> str:
    """Return what has a version: a program, or `model NAME` with the reader's word for it."""
    kind, _, model = name.partition(" ")
    return f"{known['fact.model'].lower()} {model}" if kind == "model" else name


def _table(kind: str, rows: Sequence[Sequence[str]], known: Mapping[str, str]) -> Table:
    head = [known[key] for key in ("doc.where", "health.why", "health.do")]
    return Table(head, [[f"{site} / {node}", *_care(kind, why, known)] for site, node, why in rows])


def _care(kind: str, why: str, known: Mapping[str, str]) -> tuple[str, str]:
    """Return what is wrong and what to do, in words; `why` holds a figure or names of faults."""
    if kind not in FAULTS:
        what = known[f"health.why.{kind}"].format(why=why) if why else known[f"health.{kind}"]
        return what, known[f"health.do.{kind}"]
    faults = [name for name in why.split(", ") if f"fault.{name}" in known]
    what = ", ".join(known[f"fault.{name}"] for name in faults) or known[f"health.{kind}"]
    todo = [known[f"remedy.{name}"] for name in faults if f"remedy.{name}" in known]
    return what, " ".join(todo) or known[f"health.do.{kind}"]
