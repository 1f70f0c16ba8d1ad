"""Export of the tiers to Parquet files, which any program for data reads; a file a tier and month."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from leakear.dashboard.retention.tiers import Tier
from leakear.edge import files
from leakear.edge.command_line import missing

AT_ONCE = 50_000
"""rows in memory at a time"""


def export(engine: Engine, tier: Tier, folder: Path) -> dict[str, int]:
    """Write a tier into `folder`; return the rows of each file. A file is there whole or not at all.

    Raises ConfigError without pyarrow, OSError for what cannot be written.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise missing(error, "parquet") from error
    schema, written = _schema(pa, tier), {}
    for month, first, last in _months(engine, tier):
        path = folder / f"{tier.name}-{month}.parquet"
        rows = 0
        with files.replacing(path) as part, parquet.ParquetWriter(part, schema, compression="zstd") as writer:
            for chunk in _chunks(engine, tier, first, last):
                writer.write_table(pa.Table.from_pylist(chunk, schema))
                rows += len(chunk)
        written[path.name] = rows
    return written


def _schema(pa: Any, tier: Tier) -> Any:
    """Return the types of the columns: those of the table, however many of a column's values are missing."""
    kinds = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}
    return pa.schema([(column.name, kinds[column.type.python_type]) for column in tier.table.columns])


def _months(engine: Engine, tier: Tier) -> Iterator[tuple[str, float, float]]:
    """Yield each month that has rows, with the beginning of it and of the next, in the unit of the tier's time."""
    with engine.connect() as connection:
        moment = select(tier.moment).where(tier.which)
        found = connection.scalar(moment.order_by(tier.moment).limit(1))
        while found is not None:
            begin, end = _month(tier, float(found))
            yield f"{_day(tier, begin):%Y-%m}", begin, end
            later = moment.where(tier.moment >= end).order_by(tier.moment).limit(1)
            found = connection.scalar(later)


def _month(tier: Tier, moment: float) -> tuple[float, float]:
    first = _day(tier, moment).replace(day=1)
    after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return _moment(tier, first), _moment(tier, after)


def _day(tier: Tier, moment: float) -> date:
    return datetime.fromtimestamp(moment, UTC).date() if tier.unit_s == 1.0 else date.fromordinal(int(moment))


def _moment(tier: Tier, day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() if tier.unit_s == 1.0 else day.toordinal()


def _chunks(engine: Engine, tier: Tier, first: float, last: float) -> Iterator[list[dict[str, Any]]]:
    found = select(tier.table).where(tier.which, tier.moment >= first, tier.moment < last).order_by(tier.moment)
    with engine.connect().execution_options(stream_results=True) as connection:
        for chunk in connection.execute(found).mappings().partitions(AT_ONCE):
            yield [dict(row) for row in chunk]
