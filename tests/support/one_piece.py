"""A PostgreSQL database as an older version made it: no table of the history is in partitions."""

from sqlalchemy import MetaData

from leakear.dashboard.history.tables import events, nights, open_database, samples


def in_one_piece(url: str) -> None:
    """Make the tables of an empty database, those of the history in one piece."""
    engine = open_database(url)
    with engine.begin() as connection:
        for table in (events, nights, samples):
            table.drop(connection)
            old = table.to_metadata(MetaData())
            old.dialect_options["postgresql"]["partition_by"] = None
            old.create(connection)
    engine.dispose()
