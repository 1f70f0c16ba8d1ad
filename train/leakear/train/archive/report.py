"""The report of an archive, by site and date, read from the shards one after the other.

    OUT/_by_site_and_date.csv   a line a site and date
    OUT/_report.json            the sums, and how often each reason for an error occurs

It needs memory for each site and date, not for each recording.
"""

import csv
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from leakear.edge import files
from leakear.edge.errors import InputDataError
from leakear.edge.texts import printable
from leakear.train.archive.plan import Plan

TABLE, REPORT = "_by_site_and_date.csv", "_report.json"
_SHOWN = 10
_COLUMNS = ["path", "site", "date", "windows", "scored", "on", "score", "score_max", "faults", "error"]


@dataclass
class Group:
    """The recordings of one site on one date."""

    recordings: int = 0
    errors: int = 0
    windows: int = 0
    scored: int = 0
    on: int = 0
    total: float = 0.0
    """Sum of the recordings' scores."""
    heard: int = 0
    """Recordings with a score."""
    highest: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, row: dict[str, Any]) -> None:
        """Count one recording."""
        self.recordings += 1
        self.errors += row["error"] is not None
        self.windows += row["windows"] or 0
        self.scored += row["scored"] or 0
        self.on += row["on"] or 0
        self.faults.update(row["faults"] or ())
        if row["score"] is not None:
            self.heard += 1
            self.total += row["score"]
            self.highest = max(self.highest, row["score_max"])

    @property
    def share_on(self) -> float:
        """Share of the scored windows that are on."""
        return self.on / self.scored if self.scored else 0.0

    def line(self) -> dict[str, Any]:
        """Return a line of the table."""
        return {
            "recordings": self.recordings,
            "errors": self.errors,
            "windows": self.windows,
            "scored": self.scored,
            "on": self.on,
            "score_mean": f"{self.total / self.heard:.4f}" if self.heard else "",
            "score_max": f"{self.highest:.4f}" if self.heard else "",
            "faults": " ".join(f"{name}:{count}" for name, count in sorted(self.faults.items())),
        }


def write(plan: Plan) -> str:
    """Write the report of a finished run; return it for people. Raises InputDataError where a recording is missing."""
    import pyarrow.parquet as pq

    groups: dict[tuple[str, str], Group] = {}
    reasons: Counter[str] = Counter()
    for number in range(plan.shards):
        with pq.ParquetFile(plan.path(number)) as file:  # read_table would load 13 MB of code for folders
            rows = file.read(columns=_COLUMNS).to_pylist()
        if [row["path"] for row in rows] != [printable(item.name) for item in plan.items(number)]:
            raise InputDataError(f"{plan.path(number)} holds other recordings than its plan: delete it and run again")
        for row in rows:
            groups.setdefault((row["site"], row["date"]), Group()).add(row)
            if row["error"] is not None:
                reasons[_kind(row["error"])] += 1
    with files.replacing(plan.wanted.out / TABLE) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ("site", "date", *Group().line()), lineterminator="\n")
        writer.writeheader()
        for (site, date), group in sorted(groups.items()):
            writer.writerow({"site": site, "date": date} | group.line())
    sums = {
        name: sum(getattr(group, name) for group in groups.values()) for name in ("windows", "scored", "on", "errors")
    }
    found = {
        "recordings": plan.recordings,
        **sums,
        "sites_and_dates": len(groups),
        "reasons": dict(reasons.most_common()),
        "no_recordings_by_name": plan.others,
        "key": plan.key,
    }
    files.write(plan.wanted.out / REPORT, (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())
    return _text(found, groups, plan)


def _kind(reason: str) -> str:
    """Return a reason without its numbers."""
    return re.sub(r"\d+(\.\d+)?", "N", reason)


def _text(found: dict[str, Any], groups: dict[tuple[str, str], Group], plan: Plan) -> str:
    heard = f"{found['scored']} of {found['windows']} windows scored, {found['on']} on"
    lines = [f"{found['recordings']} recordings, each once: {heard}; {found['errors']} could not be heard"]
    lines += [f"  {count} × {reason}" for reason, count in list(found["reasons"].items())[:_SHOWN]]
    if plan.others:
        endings = ", ".join(f"{count} {ending}" for ending, count in list(plan.others.items())[:_SHOWN])
        lines.append(f"{sum(plan.others.values())} files are no recordings by their names: {endings}")
    highest = sorted(groups.items(), key=lambda group: (-group[1].share_on, group[0]))[:_SHOWN]
    lines.append(f"{len(groups)} sites and dates; the highest shares of windows that are on:")
    lines += [
        f"  {group.share_on:6.1%} of {group.scored:6}  {printable(site or '(no site)')}  {date or '(no date)'}"
        for (site, date), group in highest
    ]
    return "\n".join(lines)
