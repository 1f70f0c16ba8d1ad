"""Texts of notifications: one alert, or several in one message."""

from collections import Counter
from collections.abc import Sequence

from leakear.dashboard.history import Row
from leakear.dashboard.i18n import sentence, texts

LINES = 40
"""alerts named in one message"""
PER_NODE = 3
"""alerts of one node named in one message"""
RANK = {"LEAK": 0, "SENSOR_FAULT": 1}


def wording(row: Row, public_url: str | None, language: str) -> tuple[str, str]:
    """Title and text of one notification."""
    catalogue = texts(language)
    lines = [sentence(row["reason"], language)]
    if row["score"] is not None:
        lines.append(f"{catalogue['score']} {row['score']:.2f}")
    if row["level"] is not None:
        lines.append(f"{catalogue['level']} {row['level']:.1f} dBFS")
    if public_url:
        lines.append(f"{public_url.rstrip('/')}/node/{row['site']}/{row['node']}")
    return f"leakear: {_headline(row, language)}", "\n".join(lines)


def wording_of_many(rows: Sequence[Row], public_url: str | None, language: str) -> tuple[str, str]:
    """Title and text of one notification about several alerts.

    Leaks come first, nodes that are known (`row["known"]`) before new ones, and one node has only a few lines: many
    alerts of one node, or of invented ones, hide no other node's alert.
    """
    catalogue, named = texts(language), Counter[tuple[str, str]]()
    lines: list[str] = []
    ordered = sorted(rows, key=lambda row: (not row["known"], RANK.get(row["to_state"], 2), row["happened"]))
    for row in ordered:
        key = row["site"], row["node"]
        named[key] += 1
        if named[key] <= PER_NODE and len(lines) < LINES:
            lines.append(f"{_headline(row, language)}: {sentence(row['reason'], language)}")
    title = f"leakear: {catalogue['notify.many'].format(count=len(rows))}: {_headline(ordered[0], language)}, …"
    if len(rows) > len(lines):
        lines.append(catalogue["notify.more"].format(count=len(rows) - len(lines)))
    if public_url:
        lines.append(f"{public_url.rstrip('/')}/alerts")
    return title, "\n".join(lines)


def _headline(row: Row, language: str) -> str:
    """`Leak: site / node`."""
    what = f"kind.{row['kind']}" if row["kind"] in ("lost", "dropped") else f"state.{row['to_state']}"
    return f"{texts(language)[what]}: {row['site']} / {row['node']}"
