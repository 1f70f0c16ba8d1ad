"""One server to a database of SQLite: a second one would take over the first one's connections to the broker."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from leakear.edge.errors import ConfigError


@contextmanager
def alone(engine: Engine) -> Iterator[None]:
    """Hold the database for this process until the end; the system lets go of it however that comes.

    Raises ConfigError when another server holds it. Servers of PostgreSQL agree by other means (decision 197).
    """
    file = engine.url.database
    if engine.dialect.name != "sqlite" or not file or file == ":memory:":
        yield
        return
    # A file beside it: closing a second descriptor of the database itself would drop SQLite's own locks.
    path = Path(f"{file}.lock")
    try:
        held = path.open("a", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
    with held:
        try:
            fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unlike flock's, no child inherits it
        except OSError as error:
            raise ConfigError(
                f"Another leakear-dashboard serves from {file}: stop that one, or name another --database."
            ) from error
        yield
