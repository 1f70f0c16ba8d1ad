"""Tables of the history, the same on SQLite and PostgreSQL. Times are POSIX seconds UTC (double precision)."""

import logging
import os
import stat
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError

from leakear.dashboard.history import partitions, trigrams
from leakear.edge.errors import ConfigError

log = logging.getLogger(__name__)
SCHEMA = 1
"""version of these tables"""
NAME = 64
"""longest site or node name"""
META = MetaData()
TABLES = ("pipes.tables", "map.tables", "history.case_tables", "quiet.tables", "webhooks.tables", "ingest.tables")
"""modules that declare further tables"""


def _key() -> list[Column[str]]:
    return [Column("site", String(NAME), primary_key=True), Column("node", String(NAME), primary_key=True)]


about = Table("about", META, Column("name", String(40), primary_key=True), Column("value", Text, nullable=False))

nodes = Table(
    "nodes", META, *_key(),
    Column("first_seen", Float, nullable=False),
    Column("last_seen", Float),
    Column("last_seq", BigInteger, nullable=False, default=0),
    Column("gaps", Text, nullable=False, default="[]"),
    Column("material", String(40), nullable=False, default=""),
)  # fmt: skip

events = Table(
    "events", META,
    Column("id", String(36), primary_key=True),
    Column("site", String(NAME), nullable=False),
    Column("node", String(NAME), nullable=False),
    Column("seq", BigInteger),
    Column("kind", String(20), nullable=False),
    Column("from_state", String(20), nullable=False),
    Column("to_state", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Column("window_start", Float),
    Column("window_end", Float, nullable=False),
    Column("happened", Float, nullable=False),
    Column("received", Float, nullable=False),
    Column("clock_synced", Boolean, nullable=False),
    Column("score", Float),
    Column("on_fraction", Float),
    Column("level", Float),
    Column("faults", Text, nullable=False, default="[]"),
    Column("model", String(128), nullable=False, default=""),
    Column("model_sha256", String(64), nullable=False, default=""),
    Column("evidence", Boolean, nullable=False, default=False),
    Column("dropped", BigInteger, nullable=False, default=0),
    Column("alert", Boolean, nullable=False),
    Column("acknowledged", Float),
    Column("acknowledged_by", String(80)),
    Column("verdict", String(20)),
    Column("verdict_by", String(80)),
    Column("verdict_at", Float),
    Column("material", String(40), nullable=False, default=""),
    Column("note", Text, nullable=False, default=""),
    Index("events_by_node", "site", "node", "happened"),
    Index("events_by_time", "happened"),
    postgresql_partition_by="RANGE (id)",
)  # fmt: skip

_OPEN, _JUDGED = events.c.alert & events.c.acknowledged.is_(None), events.c.verdict.is_not(None)
Index(
    "events_alerts", events.c.alert, events.c.happened, sqlite_where=text("alert = 1"), postgresql_where=events.c.alert
)
Index(
    "events_open", events.c.alert, events.c.acknowledged, events.c.happened, sqlite_where=_OPEN, postgresql_where=_OPEN
)
Index("events_judged", events.c.happened, sqlite_where=_JUDGED, postgresql_where=_JUDGED)
"""the log reads few of many events"""

forgotten = Table("forgotten", META, *_key(), Column("at", Float, nullable=False))
"""nodes taken out of service that have sent nothing since"""

samples = Table(
    "samples", META, *_key(),
    Column("seconds", Integer, primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("score_n", BigInteger, nullable=False),
    Column("score_sum", Float, nullable=False),
    Column("score_max", Float),
    Column("level_n", BigInteger, nullable=False),
    Column("level_sum", Float, nullable=False),
    Column("level_min", Float),
    Column("level_max", Float),
    Column("floor_n", BigInteger, nullable=False),
    Column("floor_sum", Float, nullable=False),
    Index("samples_by_age", "seconds", "start"),
    postgresql_partition_by="LIST (seconds)",
)  # fmt: skip

nights = Table(
    "nights", META, *_key(),
    Column("day", Integer, primary_key=True),
    Column("event_id", String(36), nullable=False),
    Column("hours", String(20), nullable=False),
    Column("first", Float, nullable=False),
    Column("last", Float, nullable=False),
    Column("judged", Float, nullable=False),
    Column("level", Float),
    Column("spread", Float),
    Column("steadiness", Float),
    Column("hz", Float),
    Column("excess", Float),
    Column("limit_db", Float),
    Column("histogram_from", Integer),
    Column("histogram", Text, nullable=False),
    Index("nights_by_age", "last"),
    postgresql_partition_by="RANGE (day)",
)  # fmt: skip
"""what each node heard in the quietest hours; `day`: ordinal of the proleptic Gregorian calendar"""

clips = Table(
    "clips", META,
    Column("event_id", String(36), primary_key=True),
    Column("media_type", String(60), primary_key=True),
    Column("file", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("fetched", Float, nullable=False),
)  # fmt: skip

notices = Table(
    "notices", META,
    Column("event_id", String(36), primary_key=True),
    Column("way", String(16), primary_key=True),
    Column("tries", Integer, nullable=False),
)  # fmt: skip
"""alerts that must still be sent, and the address of each"""

set_aside = Table(
    "set_aside", META,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("site", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("row", Text, nullable=False),
)  # fmt: skip
"""events that the database refused, as JSON"""

users = Table(
    "users", META,
    Column("name", String(80), primary_key=True),
    Column("password", Text, nullable=False),
    Column("role", String(20), nullable=False),
)  # fmt: skip

sessions = Table(
    "sessions", META,
    Column("digest", String(64), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("expires", Float, nullable=False),
)  # fmt: skip

actions = Table(
    "actions", META,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("who", String(80), nullable=False),
    Column("what", String(40), nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", Text, nullable=False, default=""),
)  # fmt: skip


def open_database(url: str, *, make: bool = True) -> Engine:
    """Connect, make missing tables, refuse tables of another version; ConfigError says what to do.

    `make`: make a missing SQLite file instead of refusing it. No error quotes the URL: it may hold a password.
    """
    try:
        parsed = make_url(url)
        engine = create_engine(parsed, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise ConfigError(f"--database needs the Python module {error.name}: install it.") from error
    except (ArgumentError, ValueError) as error:
        raise ConfigError(
            "--database is not a URL: write sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME."
        ) from error
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            _private_file(Path(parsed.database), make=make)
        event.listen(engine, "connect", _sqlite)
    elif parsed.get_backend_name() != "postgresql":
        raise ConfigError(f"--database {parsed.render_as_string()} is neither SQLite nor PostgreSQL.")
    try:
        make_tables(engine)
    except (OperationalError, ProgrammingError) as error:
        reason = str(error.orig).replace(str(parsed.password or "\0"), "***")
        raise ConfigError(f"The database {parsed.render_as_string()} cannot be used: {reason}.") from error
    return engine


def make_tables(engine: Engine) -> None:
    """Make missing tables, and on PostgreSQL the partitions of the present; one process at a time."""
    for name in TABLES:  # known to META before the tables are made
        import_module(f"leakear.dashboard.{name}")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(partitions.MAKING)))
        META.create_all(connection)
        for index in events.indexes:  # an older database lacks some
            index.create(connection, checkfirst=True)
        _check_version(connection)
        _widen(connection)
    partitions.prepare(engine, time.time())
    trigrams.make(engine)


def _private_file(path: Path, *, make: bool) -> None:
    """Make the SQLite file readable by its owner alone: it holds password hashes."""
    if not path.exists():
        if not make:
            raise ConfigError(f"There is no database {path}: name it with --database sqlite:///FILE.")
        with suppress(OSError):  # the database says what is wrong with the place
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        return
    for each in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
        with suppress(OSError):
            mode = stat.S_IMODE(each.stat().st_mode)
            if mode & 0o077:
                each.chmod(mode & ~0o077)
                log.warning("%s was readable by other users of this machine; its mode is now 0600", each)


def _widen(connection: Connection) -> None:
    """Give columns of an older PostgreSQL database the 64 bits that they have now; SQLite has only one integer."""
    if connection.dialect.name != "postgresql":
        return
    inspector = inspect(connection)
    for table in META.sorted_tables:
        found = {column["name"]: column["type"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            kind = found.get(column.name)
            if isinstance(column.type, BigInteger) and isinstance(kind, Integer) and not isinstance(kind, BigInteger):
                connection.exec_driver_sql(f'ALTER TABLE "{table.name}" ALTER COLUMN "{column.name}" TYPE BIGINT')


def _check_version(connection: Connection) -> None:
    found = connection.scalar(select(about.c.value).where(about.c.name == "schema"))
    if found is None:
        connection.execute(insert(about).values(name="schema", value=str(SCHEMA)))
    elif found != str(SCHEMA):
        raise ConfigError(f"The database holds tables of version {found}; this leakear-dashboard knows {SCHEMA}.")


def _sqlite(connection: object, _record: object) -> None:
    """WAL: pages read while events are written; `synchronous=FULL`: an acknowledged event survives a power cut."""
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
