"""Reads the database for a report."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, select

from leakear.dashboard.cases.figures import figures
from leakear.dashboard.cases.store import Cases
from leakear.dashboard.health.weekly import kept
from leakear.dashboard.history.rows import Row
from leakear.dashboard.history.tables import events
from leakear.dashboard.quiet.store import QuietTimes
from leakear.dashboard.quiet.tables import held
from leakear.dashboard.reports.brand import Brand
from leakear.dashboard.reports.document import Document, Picture
from leakear.dashboard.reports.health import health_document
from leakear.dashboard.reports.writing import Writer
from leakear.edge.errors import InputDataError


class Source:
    """Makes reports. Blocking: the event loop calls it in a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._cases, self._quiet = engine, Cases(engine), QuietTimes(engine)

    def case(self, case_id: str, language: str, brand: Brand) -> Document | None:
        """Return the report of a case; None: there is none of this id."""
        case = self._cases.get(case_id)
        if case is None:
            return None
        photos = [change["version"] for change in case["changes"] if change["photo"]]
        pictures = {n: Picture(found[1], found[0], "") for n in photos if (found := self._cases.photo(case_id, n))}
        return Writer(language, brand).case(case, pictures)

    def month(self, month: str, language: str, brand: Brand, care: dict[str, Any] | None = None) -> Document:
        """Return the report of a month (`YYYY-MM`, in UTC); `care`: nodes that need care. Raises InputDataError."""
        since, until = span_of_month(month)
        opened = [case for case in self._cases.page("all") if _touches(case, since, until)]
        quiet = QuietTimes(self._engine).history(since, until)
        found = figures(opened)
        return Writer(language, brand).month(month, self._alarms(since, until), opened, found, quiet=quiet, care=care)

    def health(self, language: str, brand: Brand) -> Document | None:
        """Return the report of which nodes need care, as the dashboard has kept it last; None: it has not run yet."""
        found = kept(self._engine)
        return health_document(*found, language, brand) if found else None

    def _alarms(self, since: float, until: float) -> Row:
        """Count the alerts of a span by kind and verdict, and those that a quiet time or a mute held back."""
        mine = (events.c.alert, events.c.happened >= since, events.c.happened < until)
        kind = select(events.c.kind, events.c.to_state, events.c.verdict, held.c.result)
        with self._engine.connect() as connection:
            rows = connection.execute(kind.outerjoin(held, held.c.event_id == events.c.id).where(*mine)).all()
        return {
            "kinds": Counter(row.to_state if row.kind == "state" else row.kind for row in rows),
            "verdicts": Counter(row.verdict for row in rows if row.verdict),
            "held": Counter(row.result for row in rows if row.result),
        }


def span_of_month(month: str) -> tuple[float, float]:
    """Return beginning and end of a month in UTC, POSIX seconds. Raises InputDataError."""
    try:
        first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
        following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    except ValueError as error:
        raise InputDataError(f"The month is {month[:20]!a}: write YYYY-MM, such as 2026-11.") from error
    return first.timestamp(), following.timestamp()


def _touches(case: Row, since: float, until: float) -> bool:
    return bool(case["opened"] < until and (case["closed"] is None or case["closed"] >= since))
