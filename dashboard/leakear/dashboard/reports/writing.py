"""Writes reports in the reader's language: what stands in them and in which order. Pure."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from leakear.dashboard.history.rows import Row
from leakear.dashboard.i18n import sentence, texts
from leakear.dashboard.reports.brand import Brand
from leakear.dashboard.reports.document import Block, Document, Facts, Heading, Paragraph, Picture, Table
from leakear.dashboard.reports.health import versioned
from leakear.edge import __version__

CASES, TIMES = 200, 200
"""cases and quiet times in one report at most"""


class Writer:
    """Writes in one language."""

    def __init__(self, language: str, brand: Brand) -> None:
        self._language, self._texts, self._brand = language, texts(language), brand

    def case(self, case: Row, pictures: Mapping[int, Picture]) -> Document:
        """Write the report of a case."""
        blocks: list[Block] = [Paragraph(self._next(case)), Facts(self._facts(case)), Heading(self._t("case.history"))]
        for change in case["changes"]:
            lines = [self._t(f"outcome.{change['details']['outcome']}")] if change["details"].get("outcome") else []
            lines += [change["details"]["assigned_to"]] if change["details"].get("assigned_to") else []
            lines += [sentence(change["note"], self._language)] if change["note"] else []
            told = ": ".join([f"{_when(change['at'])}, {change['who']}", *(["; ".join(lines)] if lines else [])])
            blocks.append(Facts([(self._t(f"case.did.{change['what']}"), told)]))
            if change["version"] in pictures:
                photo = pictures[change["version"]]
                blocks.append(Picture(photo.content, photo.kind, self._t("case.photo")))
        return self._document(f"{self._t('case')}: {case['site']} / {case['node']}", blocks)

    def month(
        self, month: str, alarms: Row, cases: Sequence[Row], found: Row, *, quiet: Sequence[Row],
        care: Mapping[str, Any] | None,
    ) -> Document:  # fmt: skip
        """Write the report of a month."""
        blocks: list[Block] = [Heading(self._t("doc.alarms")), *self._alarms(alarms), Heading(self._t("figures"))]
        blocks += [Facts(self._figures(found)), Heading(self._t("cases"))]
        head = [
            self._t(key)
            for key in ("doc.where", "case.since", "doc.status", "case.outcome", "case.repaired", "case.water")
        ]
        rows = [self._case_row(case) for case in cases[:CASES]]
        blocks.append(Table(head, rows) if rows else Paragraph(self._t("cases.none")))
        if len(cases) > CASES:
            blocks.append(Paragraph(self._t("doc.more").format(count=len(cases) - CASES)))
        blocks.append(Heading(self._t("quiet")))
        blocks.append(self._quiet(quiet))
        if care is not None:
            blocks += [Heading(self._t("health")), Facts(self._care(care))]
        return self._document(f"{self._t('report.month')} {month}", blocks)

    def _document(self, title: str, blocks: list[Block]) -> Document:
        made = self._t("doc.made").format(when=_when(time.time()), version=__version__)
        return Document(title, made, self._language, self._brand.name, self._brand.picture(), blocks)

    def _facts(self, case: Row) -> list[tuple[str, str]]:
        rows = [
            ("doc.status", self._t(f"case.status.{case['status']}")), ("case.since", _when(case["since"])),
            ("case.certainty", sentence(case["certainty"], self._language)),
            ("case.opened", f"{_when(case['opened'])} ({case['opened_by']})"), ("case.assigned", case["assigned_to"]),
            ("case.pipe", case["pipe"]), ("case.position", case["position"]), ("case.visited", _when(case["visited"])),
            ("case.outcome", self._t(f"outcome.{case['outcome']}") if case["outcome"] else ""),
            ("case.place", "" if case["latitude"] is None else f"{case['latitude']:.5f}, {case['longitude']:.5f}"),
            ("case.repaired", _when(case["repaired"])), ("case.water", self._water(case["water"])),
            ("case.reopened", str(case["reopened"] or "")),
        ]  # fmt: skip
        return [(self._t(key), value) for key, value in rows if value]

    def _case_row(self, case: Row) -> list[str]:
        outcome = self._t(f"outcome.{case['outcome']}") if case["outcome"] else ""
        return [
            f"{case['site']} / {case['node']}", _day(case["since"]), self._t(f"case.status.{case['status']}"), outcome,
            _day(case["repaired"]), self._water(case["water"]),
        ]  # fmt: skip

    def _alarms(self, alarms: Row) -> list[Block]:
        rows = [(self._t(f"state.{kind}"), self._number(count)) for kind, count in alarms["kinds"].most_common()]
        rows += [(self._t(f"verdict.{name}"), self._number(count)) for name, count in alarms["verdicts"].most_common()]
        rows += [(self._t(f"doc.held.{name}"), self._number(count)) for name, count in alarms["held"].most_common()]
        return [Facts(rows)] if rows else [Paragraph(self._t("doc.none"))]

    def _figures(self, found: Row) -> list[tuple[str, str]]:
        rows = [("doc.cases", self._number(found["cases"])), ("figure.open", self._number(found["open"]))]
        if found["visited"]:
            visits = self._t("figure.found.of").format(found=found["found"], visited=found["visited"])
            rows.append(("figure.visited", visits))
        times = [key for key in ("time_to_visit", "time_to_repair") if found[key] is not None]
        rows += [(f"figure.{key}", self._span(found[key])) for key in times]
        rows.append(("figure.water", self._water(found["water"])))
        return [(self._t(key), value) for key, value in rows if value]

    def _quiet(self, times: Sequence[Row]) -> Block:
        if not times:
            return Paragraph(self._t("quiet.none"))
        head = [self._t(key) for key in ("doc.where", "quiet.kind", "quiet.title", "quiet.start", "quiet.end")]
        rows = [
            ["/".join(filter(None, (one["site"], one["node"]))), self._t(f"quiet.kind.{one['kind']}"), one["title"],
             _when(one["start"]), _when(one["end"])]
            for one in times[:TIMES]
        ]  # fmt: skip
        return Table(head, rows)

    def _care(self, care: Mapping[str, Any]) -> list[tuple[str, str]]:
        return [
            (self._t(f"health.{kind}"), ", ".join(f"{site}/{node}" for site, node, _ in nodes[:50]) or "0")
            for kind, nodes in care["problems"].items()
        ] + [
            (
                self._t("health.versions"),
                ", ".join(f"{versioned(name, self._texts)}: {count}" for name, count in care["versions"].items()),
            )
        ]

    def _next(self, case: Row) -> str:
        return self._t(f"case.next.{case['status']}").replace("{who}", case["assigned_to"])

    def _water(self, lost: Sequence[float] | None) -> str:
        if lost is None:
            return ""
        digits = 1 if lost[1] < 100 else 0
        low, high = (self._number(value, digits) for value in lost)
        return f"{low} m³" if low == high else f"{low} – {high} m³"

    def _span(self, seconds: float) -> str:
        hours = seconds / 3600
        return f"{self._number(hours, 1)} h" if hours < 36 else f"{self._number(hours / 24, 1)} d"

    def _number(self, value: float, digits: int = 0) -> str:
        text = f"{value:,.{digits}f}"
        return text.translate(str.maketrans(",.", ".,")) if self._language == "pt-BR" else text

    def _t(self, key: str) -> str:
        return self._texts[key]


def _day(posix: float | None) -> str:
    return _when(posix)[:10]


def _when(posix: float | None) -> str:
    return "" if posix is None else f"{datetime.fromtimestamp(posix, UTC):%Y-%m-%d %H:%M} UTC"
