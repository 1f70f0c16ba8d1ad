"""How much cases may take: a limit for each while it is open, an end for those that are closed."""

from sqlalchemy import Connection, delete, func, select

from leakear.dashboard.cases.changes import Change
from leakear.dashboard.history.case_tables import case_changes, case_photos, cases
from leakear.dashboard.history.rows import Row
from leakear.edge.errors import InputDataError

CHANGES = 1000
"""changes of one case; people can then only close it"""
PHOTOS = 20
"""photos of one case"""


def check(connection: Connection, case: Row, made: Change) -> None:
    """Refuse what would let a case grow without end. Raises InputDataError."""
    if case["version"] >= CHANGES and made.what != "close":
        raise InputDataError(f"The case has {CHANGES} changes: close it and open another one.")
    held = select(func.count()).where(case_photos.c.case_id == case["id"])
    if made.photo is not None and (connection.scalar(held) or 0) >= PHOTOS:
        raise InputDataError(f"The case has {PHOTOS} photos: leave this one out.")


def sweep(connection: Connection, before: float) -> None:
    """Delete the cases that were closed before this time, with changes and photos; an open one stays."""
    old = select(cases.c.id).where(cases.c.closed < before)
    for table in (case_photos, case_changes):
        connection.execute(delete(table).where(table.c.case_id.in_(old)))
    connection.execute(delete(cases).where(cases.c.closed < before))
