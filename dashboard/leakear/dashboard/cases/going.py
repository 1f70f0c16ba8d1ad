"""The open cases of several nodes at once, for a page that shows their alerts."""

from collections.abc import Collection

from sqlalchemy import Engine, select, tuple_

from leakear.dashboard.fleet import Key
from leakear.dashboard.history.case_tables import cases
from leakear.dashboard.history.rows import Row

SHOWN = (cases.c.id, cases.c.site, cases.c.node, cases.c.status, cases.c.assigned_to)


def open_at(engine: Engine, keys: Collection[Key]) -> list[Row]:
    """Return how far the open case of each of these nodes is, and who has it; nodes without one are left out."""
    if not keys:
        return []
    mine = (cases.c.closed.is_(None), tuple_(cases.c.site, cases.c.node).in_(list(keys)))
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(*SHOWN).where(*mine)).mappings()]
