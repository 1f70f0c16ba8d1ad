"""The values of reports, each stored once, and their sums a minute."""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, text

from leakear.dashboard.fleet import Key
from leakear.dashboard.fleet.ring import Sums
from leakear.dashboard.history import Row, insert_new, partitions
from leakear.dashboard.history.pruning import AT_ONCE
from leakear.dashboard.history.samples import MINUTE, Samples
from leakear.dashboard.ingest.tables import readings
from leakear.edge.messages.reports import Identity, State, Telemetry, parse_utc

STATE, TELEMETRY = "s", "t"


def reading_row(who: Identity, message: State | Telemetry, received: float) -> Row | None:
    """Return the values of a report as they are stored; None: nothing was measured yet. `received`: POSIX seconds."""
    kind, written = (STATE, message.window_end) if isinstance(message, State) else (TELEMETRY, message.time)
    if written is None:
        return None
    return {
        "site": who.site, "node": who.node, "at": parse_utc(written), "kind": kind,
        "received": received, "score": message.score, "level": message.level_dbfs, "floor": message.noise_floor_dbfs,
        "clock_synced": message.clock_synced,
    }  # fmt: skip


def store_readings(engine: Engine, samples: Samples, rows: Sequence[Row]) -> int:
    """Store readings and add the new ones to their minutes, in one transaction; return how many were new.

    The same report twice counts once. A minute is that of the measurement, or of the arrival where the node's clock
    was wrong. Raises SQLAlchemyError: then nothing is stored.
    """
    if not rows:
        return 0
    by_key = {key_of(row): row for row in rows}
    values = [{k: v for k, v in by_key[key].items() if k != "clock_synced"} for key in sorted(by_key)]
    with engine.begin() as connection:
        new = [by_key[key] for key in _insert(connection, values)]
        if new:
            samples.merge(connection, _minutes(new))
    return len(new)


def sweep_readings(engine: Engine, before: float) -> None:
    """Delete readings that were received before a POSIX second: whole days, then those with a wrong time."""
    if engine.dialect.name != "postgresql":
        return  # there are none
    partitions.drop(engine, partitions.READINGS, before, kept=f"received >= {before}")
    other = f"{partitions.READINGS.table}{partitions.OTHER}"
    some = f"SELECT ctid FROM {other} WHERE received < :before LIMIT {AT_ONCE}"  # noqa: S608 - our own names
    while True:
        with engine.begin() as connection:
            found = connection.execute(text(f"DELETE FROM {other} WHERE ctid IN ({some})"), {"before": before})  # noqa: S608
        if found.rowcount < AT_ONCE:
            return


def _insert(connection: Connection, values: list[Row]) -> list[tuple[str, str, float, str]]:
    statement = insert_new(connection.engine, readings).on_conflict_do_nothing()
    columns = (readings.c.site, readings.c.node, readings.c.at, readings.c.kind)
    return [tuple(row) for row in connection.execute(statement.returning(*columns), values)]


def _minutes(rows: Sequence[Row]) -> list[tuple[Key, Sums]]:
    found: dict[tuple[Key, int], Sums] = {}
    for row in rows:
        moment = min(row["at"], row["received"]) if row["clock_synced"] else row["received"]
        start = int(moment // MINUTE) * MINUTE
        sums = found.setdefault(((row["site"], row["node"]), start), Sums(start))
        sums.add(row["score"], row["level"], row["floor"])
    return [(key, sums) for (key, _), sums in found.items()]


def key_of(row: Row) -> tuple[str, str, float, str]:
    """Return what makes a reading unique."""
    return row["site"], row["node"], row["at"], row["kind"]
