"""History in the database: tables, storing of events, queries."""

from leakear.dashboard.history import case_tables as _case_tables  # noqa: F401 - so that the tables are made
from leakear.dashboard.history.ingest import event_row, happened, insert_new, is_alert, presence_row
from leakear.dashboard.history.queries import History
from leakear.dashboard.history.rows import ALARMS, BACK, LOST, Row, public

__all__ = [
    "ALARMS", "BACK", "LOST", "History", "Row", "event_row", "happened", "insert_new", "is_alert", "presence_row",
    "public",
]  # fmt: skip
