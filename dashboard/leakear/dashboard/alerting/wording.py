"""Texts of notifications: one alert, or several in one message."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from leakear.dashboard.history import Row
from leakear.dashboard.history.ingest import ends_alarm
from leakear.dashboard.history.rows import MUTE, QUIET
from leakear.dashboard.i18n import sentence, texts

LINES = 40
"""alerts named in one message"""
PER_NODE = 3
"""alerts of one node named in one message"""
RANK = {"LEAK": 0, "SENSOR_FAULT": 1}


def severity(rows: Sequence[Row]) -> str:
    """Return the severity of a notification in Apprise's words: failure for a leak, success when all is clear."""
    if any(row["to_state"] == "LEAK" and not ends_alarm(row) for row in rows):
        return "failure"
    return "success" if all(map(ends_alarm, rows)) else "warning"


def wording(row: Row, public_url: str | None, language: str) -> tuple[str, str]:
    """Title and text of one notification: what, where, since when, how sure, what to do."""
    catalogue = texts(language)
    lines = [sentence(row["reason"], language)]
    if ends_alarm(row):
        if row["kind"] == "state":
            lines.append(catalogue["alert.was"].format(state=catalogue[f"state.{row['from_state']}"]))
    else:
        lines += _circumstances(row, catalogue)
    lines.append(
        catalogue["alert.when"].format(when=f"{datetime.fromtimestamp(row['happened'], UTC):%Y-%m-%d %H:%M} UTC")
    )
    if row.get(QUIET):
        lines.append(_held_back(row[QUIET], catalogue))
    if public_url:
        place = public_url.rstrip("/")
        lines.append(f"{place}/node/{row['site']}/{row['node']}")
        if row["to_state"] == "LEAK" and not ends_alarm(row):
            lines.append(f"{place}/cases")
    return f"leakear: {_headline(row, language)}", "\n".join(lines)


def _held_back(mark: str, catalogue: Mapping[str, str]) -> str:
    """Say what held an alert back until now."""
    if mark == MUTE:
        return catalogue["muted.raised"]
    kind, _, title = mark.partition(": ")
    return catalogue["quiet.held.raised"].format(what=title or catalogue[f"quiet.kind.{kind}"])


def _circumstances(row: Row, catalogue: Mapping[str, str]) -> list[str]:
    """Say how sure an alert is, how loud it was, and what to do now."""
    lines = []
    if row["score"] is not None and row["on_fraction"] is not None:
        lines.append(catalogue["alert.sure"].format(share=f"{row['on_fraction']:.0%}", score=f"{row['score']:.2f}"))
    if row["level"] is not None:
        lines.append(f"{catalogue['level']} {row['level']:.1f} dBFS")
    return [*lines, catalogue[f"alert.do.{_subject(row)}"]] if f"alert.do.{_subject(row)}" in catalogue else lines


def wording_of_many(rows: Sequence[Row], public_url: str | None, language: str) -> tuple[str, str]:
    """Title and text of one notification about several alerts.

    Leaks come first, nodes that are known (`row["known"]`) before new ones, and one node has only a few lines: many
    alerts of one node, or of invented ones, hide no other node's alert.
    """
    catalogue, named = texts(language), Counter[tuple[str, str]]()
    lines: list[str] = []
    ordered = sorted(rows, key=lambda row: (not row["known"], _rank(row), row["happened"]))
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


def _rank(row: Row) -> int:
    return len(RANK) + 1 if ends_alarm(row) else RANK.get(row["to_state"], len(RANK))


def _headline(row: Row, language: str) -> str:
    """`Leak: site / node`."""
    what = "alert.clear" if ends_alarm(row) else _name(row)
    return f"{texts(language)[what]}: {row['site']} / {row['node']}"


def _name(row: Row) -> str:
    return f"kind.{row['kind']}" if row["kind"] in ("lost", "dropped") else f"state.{row['to_state']}"


def _subject(row: Row) -> str:
    return str(row["kind"] if row["kind"] in ("lost", "dropped") else row["to_state"])
