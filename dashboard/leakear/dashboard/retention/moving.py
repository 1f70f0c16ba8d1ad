"""Divides the tables of an older PostgreSQL database into partitions, while everything else goes on.

A table is copied, some rows at a time, into one that is divided; a trigger repeats there what happens to the old table
meanwhile. When both hold the same, the new table takes the place of the old one in one transaction. How far the copy
is stands in the database, in the transaction that has copied: who is killed goes on from there.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, Table, delete, func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.sql.elements import quoted_name

from leakear.dashboard.history import insert_new, partitions, trigrams
from leakear.dashboard.history.partitions import EVENTS, HOURS, LOCK_WAIT, MINUTES, NIGHTS, Partitioned
from leakear.dashboard.history.tables import about, events, nights, samples
from leakear.edge.errors import ConfigError

AT_ONCE = 2000
"""rows in one transaction"""
REST = 0.5
"""pause after each, as a share of the time it took: others use the disk, too"""
AGAIN_S = 2.0
"""until a table that is in use is tried again"""
TOLD_S = 2.0
"""between two lines of progress"""
LOCK = 0x6C65616B6D76
"""PostgreSQL's advisory lock of the one that moves"""
NEW = "_moving"
"""ends the name of the table that takes the place of another"""
DAYS, MONTHS = 60 * 86400.0, 10 * 365 * 86400.0
"""s into the past for which partitions of a day, and of a month, are made; what is older is in `_other`"""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Move:
    """One table that is divided."""

    table: Table
    parts: tuple[Partitioned, ...]

    @property
    def name(self) -> str:
        """Name of the table."""
        return self.table.name

    @property
    def columns(self) -> str:
        """Its columns as text of SQL."""
        return ", ".join(f'"{column.name}"' for column in self.table.columns)

    @property
    def key(self) -> list[str]:
        """Columns of its primary key."""
        return [column.name for column in self.table.primary_key.columns]


MOVES = (Move(nights, (NIGHTS,)), Move(events, (EVENTS,)), Move(samples, (MINUTES, HOURS)))


def move_all(engine: Engine, tell: Tell) -> None:
    """Divide what is in one piece. Raises ConfigError for SQLite, and while another one is at it."""
    if engine.dialect.name != "postgresql":
        raise ConfigError("--partition is for PostgreSQL: SQLite has no partitions.")
    with _alone(engine):
        for move in MOVES:
            with engine.connect() as connection:
                done = partitions.is_partitioned(connection, move.name)
            if done:
                tell(f"{move.name}: in partitions")
            else:
                _move(engine, move, tell)
    partitions.prepare(engine, time.time())


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(select(func.pg_try_advisory_lock(LOCK))):
            raise ConfigError("Another `retention --partition` is at work on this database: wait for it.")
        try:
            yield
        finally:
            connection.execute(select(func.pg_advisory_unlock(LOCK)))


def _move(engine: Engine, move: Move, tell: Tell) -> None:
    _patiently(engine, lambda connection: _begin(connection, move, time.time()), move, tell)
    with engine.connect() as connection:
        total = connection.scalar(select(func.count()).select_from(move.table)) or 0
    copied, told = 0, 0.0
    while True:
        began = time.monotonic()
        some = _patiently(engine, lambda connection: _copy(connection, move), move, tell)
        if some is None:
            break
        copied += some
        if time.monotonic() - told > TOLD_S:
            told = time.monotonic()
            tell(f"{move.name}: {copied} of {total} rows copied in this run")
        time.sleep(REST * (time.monotonic() - began))
    _check(engine, move)
    _patiently(engine, lambda connection: _switch(connection, move), move, tell)
    tell(f"{move.name}: in partitions")


def _patiently(engine: Engine, work: Callable[[Connection], Any], move: Move, tell: Tell) -> Any:
    """Do something in one transaction; try again where others use the table, so that they never wait for long."""
    while True:
        try:
            with engine.begin() as connection:
                connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'"))
                return work(connection)
        except OperationalError as error:  # a lock that was not given in time, or a deadlock
            if error.connection_invalidated:
                raise
            tell(f"{move.name}: in use, trying again: {str(error.orig).splitlines()[0]}")
            time.sleep(AGAIN_S)


# ---- the new table


def _begin(connection: Connection, move: Move, now: float) -> None:
    """Make the new table and the trigger where they are missing, and partitions for what there is."""
    fresh = move.name + NEW
    if connection.scalar(select(func.to_regclass(fresh))) is None:
        made = move.table.to_metadata(MetaData(), name=fresh)
        for index in made.indexes:
            index.name = quoted_name(f"{index.name}{NEW}", quote=False)
        made.create(connection)
        connection.execute(delete(about).where(about.c.name == _mark(move)))
        if move.table is events and connection.scalar(select(func.to_regclass(trigrams.INDEX))) is not None:
            trigrams.index(connection, fresh, trigrams.INDEX + NEW)
        _mirror(connection, move)
    for each in move.parts:
        since = max(_first(connection, move, each, now), now - (MONTHS if each.monthly else DAYS))
        partitions.divide(connection, each, fresh, since, now + partitions.AHEAD_S)


def _first(connection: Connection, move: Move, each: Partitioned, now: float) -> float:
    """Return the time of the oldest row of these partitions, POSIX seconds."""
    columns = {"events": "happened", "nights": "last"}
    which = f"WHERE seconds = {each.under[1]}" if each.under else ""
    found = connection.scalar(text(f"SELECT min({columns.get(move.name, 'start')}) FROM {move.name} {which}"))  # noqa: S608 - our own names
    return now if found is None else min(float(found), now)


def _mirror(connection: Connection, move: Move) -> None:
    """Let a trigger repeat every change of the old table in the new one, in the same transaction."""
    same = " AND ".join(f'"{name}" = OLD."{name}"' for name in move.key)
    values = ", ".join(f'NEW."{column.name}"' for column in move.table.columns)
    kept = ", ".join(f'"{c.name}" = EXCLUDED."{c.name}"' for c in move.table.columns if c.name not in move.key)
    connection.execute(text(
        f"CREATE OR REPLACE FUNCTION leakear_mirror_{move.name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # noqa: S608 - our own names
        f"IF TG_OP = 'DELETE' THEN DELETE FROM {move.name}{NEW} WHERE {same}; "
        f"ELSE INSERT INTO {move.name}{NEW} ({move.columns}) VALUES ({values}) "
        f"ON CONFLICT ({', '.join(move.key)}) DO UPDATE SET {kept}; END IF; RETURN NULL; END $$"
    ))  # fmt: skip
    connection.execute(text(
        f"CREATE TRIGGER leakear_mirror AFTER INSERT OR UPDATE OR DELETE ON {move.name} "
        f"FOR EACH ROW EXECUTE FUNCTION leakear_mirror_{move.name}()"
    ))  # fmt: skip


# ---- its rows


def _copy(connection: Connection, move: Move) -> int | None:
    """Copy the next rows; return how many, None: there are no more.

    They are locked, so that none is deleted between its copy and the trigger's look at it.
    """
    after = _place(connection, move)
    if after == "end":
        return None
    key = ", ".join(move.key)
    marks = {f"after_{n}": value for n, value in enumerate(after or [])}
    beyond = f"({key}) > ({', '.join(f':{mark}' for mark in marks)})" if after else "true"
    last = text(f"SELECT {key} FROM {move.name} WHERE {beyond} ORDER BY {key} OFFSET {AT_ONCE - 1} LIMIT 1")  # noqa: S608
    found = connection.execute(last, marks).first()
    until = f"({key}) <= ({', '.join(f':until_{n}' for n in range(len(move.key)))})" if found else "true"
    marks |= {f"until_{n}": value for n, value in enumerate(found or [])}
    done = connection.execute(text(
        f"INSERT INTO {move.name}{NEW} ({move.columns}) SELECT {move.columns} FROM {move.name} "  # noqa: S608 - our own names
        f"WHERE {beyond} AND {until} ORDER BY {key} FOR SHARE ON CONFLICT DO NOTHING"
    ), marks)  # fmt: skip
    _note(connection, move, list(found) if found else "end")
    return done.rowcount


def _mark(move: Move) -> str:
    return f"partition {move.name}"


def _place(connection: Connection, move: Move) -> Any:
    """Return the key up to which rows are copied; None: none is, "end": all are."""
    found = connection.scalar(select(about.c.value).where(about.c.name == _mark(move)))
    return None if found is None else json.loads(found)


def _note(connection: Connection, move: Move, place: Any) -> None:
    row = {"name": _mark(move), "value": json.dumps(place)}
    statement = insert_new(connection.engine, about).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))


def _check(engine: Engine, move: Move) -> None:
    """Compare old and new in one snapshot, row by row, and let the planner know the new table."""
    sums = f"SELECT count(*), sum(hashtextextended(ROW({move.columns})::text, 0)::numeric) FROM "  # noqa: S608 - our own names
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        old, new = (connection.execute(text(sums + name)).one() for name in (move.name, move.name + NEW))
    if old != new:
        raise ConfigError(
            f"The copy of {move.name} differs from it ({new[0]} rows, {old[0]} there): the table stays as it is. "
            f"Report this; DROP TRIGGER leakear_mirror ON {move.name} and DROP TABLE {move.name}{NEW} end the copy."
        )
    with engine.begin() as connection:
        connection.execute(text(f"ANALYZE {move.name}{NEW}"))


def _switch(connection: Connection, move: Move) -> None:
    """Let the new table take the place of the old one."""
    fresh = move.name + NEW
    connection.execute(text(f"LOCK TABLE {move.name} IN ACCESS EXCLUSIVE MODE"))
    connection.execute(text(f"DROP TABLE {move.name}"))
    connection.execute(text(f"DROP FUNCTION leakear_mirror_{move.name}()"))
    connection.execute(text(f"ALTER TABLE {fresh} RENAME TO {move.name}"))
    of_table = text("SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = to_regclass(:table)")
    for name in connection.scalars(of_table, {"table": move.name}).all():
        connection.execute(text(f"ALTER INDEX {name} RENAME TO {name.replace(NEW, '')}"))
    connection.execute(delete(about).where(about.c.name == _mark(move)))
