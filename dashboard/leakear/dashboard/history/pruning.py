"""Deletes rows that are too old, some at a time, so that what is being stored never waits for long."""

from sqlalchemy import ColumnElement, Engine, Table, delete, select, tuple_

AT_ONCE = 1000
"""rows in one transaction"""


def prune(engine: Engine, table: Table, old: ColumnElement[bool]) -> int:
    """Delete the rows for which `old` holds, in short transactions; return how many they were."""
    key = list(table.primary_key.columns)
    some = select(*key).where(old).limit(AT_ONCE)
    found = key[0].in_(some) if len(key) == 1 else tuple_(*key).in_(some)
    total = 0
    while True:
        with engine.begin() as connection:
            count = connection.execute(delete(table).where(found)).rowcount
        total += count
        if count < AT_ONCE:
            return total
