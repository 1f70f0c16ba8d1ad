"""The outbox's SQLite file: events until a broker has acknowledged them, and the daemon's saved values.

WAL; synchronous FULL where an event is put in, NORMAL where one is marked as acknowledged: when a power cut
loses such a mark, the event is only sent again under the same id. Raises sqlite3's errors, which `recovery` handles.
"""

import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakear.edge.messages.reports import Identity
from leakear.edge.outbox.seal import KINDS, sealed, unsealed

SETTLING = 1
"""`status`: 0 not acknowledged; 1 acknowledged, kept a moment longer; 2 to be sent again, its connection was lost."""
OVERHEAD = 64
"""bytes a row costs beside its payload"""
SCHEMA = """
CREATE TABLE IF NOT EXISTS events(
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, payload BLOB NOT NULL, status INTEGER NOT NULL DEFAULT 0, boot TEXT);
CREATE TABLE IF NOT EXISTS kept(seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS memory(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
FIRST_TO_GO = """
SELECT seq, kind, payload, status FROM events WHERE seq != (SELECT max(seq) FROM events)
ORDER BY status != 1, kind = 'state',
    kind = 'state' AND (instr(payload, '"to":"LEAK"') > 0 OR instr(payload, '"to":"WARNING"') > 0), seq LIMIT 1
"""
"""Order of deletion when there is no room: events that a broker has acknowledged, then the oldest that is no change of
state, then the oldest change of state that is no alert, then the oldest alert."""


@dataclass(frozen=True)
class Row:
    """One event as it is stored and sent."""

    seq: int
    kind: str
    payload: bytes

    @property
    def topic(self) -> str:
        """Topic of the names in the event, which the node had when it was written; empty: they cannot be read."""
        try:
            found = json.loads(self.payload)
            return Identity(str(found["site"]), str(found["node"])).topic("event")
        except (ValueError, TypeError, KeyError):  # ConfigError is a ValueError
            return ""

    @property
    def size(self) -> int:
        """Bytes that it counts for."""
        return len(self.payload) + OVERHEAD

    @property
    def weight(self) -> int:
        """Priority, 0 to 2: alerts are kept longest, then other changes of state."""
        alert = any(b'"to":"%s"' % state in self.payload for state in (b"LEAK", b"WARNING"))
        return 0 if self.kind != "state" else 2 if alert else 1


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is damaged, rather than that the disk is full or gone."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Store:
    """An open database. `depth` and `bytes` are kept as running sums."""

    def __init__(self, path: Path, boot: str) -> None:
        self.depth = self.bytes = 0
        self.unreadable: list[str] = []
        """keys of saved values that were damaged"""
        self._boot = boot
        _make_private(path)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=1.0, check_same_thread=True)
        self._db.text_factory = _text
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close; the WAL is written into the database."""
        self._db.close()

    def give_room(self) -> None:
        """Write the WAL into the database and truncate it, to free space on a full disk; drop what was delivered."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if self._db.execute("SELECT 1 FROM kept LIMIT 1").fetchone():
            self._db.execute("DELETE FROM kept")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextmanager
    def transaction(self, *, durable: bool) -> Iterator[None]:
        """All or nothing; `durable` waits until the disk has it."""
        before = self.depth, self.bytes
        self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self.depth, self.bytes = before
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def add(self, row: Row) -> None:
        """Append an event (within a transaction)."""
        query = "INSERT OR IGNORE INTO events(seq, kind, payload) VALUES (?, ?, ?)"  # a commit may fail after the fact
        if self._db.execute(query, (row.seq, row.kind, row.payload)).rowcount:
            self.depth += 1
            self.bytes += row.size

    def amend(self, row: Row) -> None:
        """Replace an event's text."""
        with self.transaction(durable=False):
            query = "SELECT length(payload) FROM events WHERE seq = ?"
            before = self._db.execute(query, (row.seq,)).fetchone()
            if before:
                self._db.execute("UPDATE events SET payload = ? WHERE seq = ?", (row.payload, row.seq))
                self.bytes += len(row.payload) - before[0]

    def pending(self, limit: int, after: int = 0) -> list[Row]:
        """Return the oldest events that no broker has acknowledged, in order of seq."""
        query = "SELECT seq, kind, payload FROM events WHERE seq > ? AND status != 1 ORDER BY seq LIMIT ?"
        return [Row(*found) for found in self._db.execute(query, (after, limit))]

    def acknowledge(self, seqs: Iterable[int]) -> tuple[list[int], int]:
        """Mark as delivered. Returns the seqs that now settle, and how many were never acknowledged before."""
        settling, first = [], 0
        for seq in seqs:
            found = self._db.execute("SELECT status FROM events WHERE seq = ? AND status != 1", (seq,)).fetchone()
            if found:
                self._db.execute("UPDATE events SET status = 1, boot = ? WHERE seq = ?", (self._boot, seq))
                self.depth -= 1
                first += found[0] == 0
                settling.append(seq)
        return settling, first

    def forget(self, seqs: Collection[int], keep: int) -> None:
        """Delete events that have settled; the newest `keep` of them stay among the kept ones."""
        for seq in seqs:
            self._to_kept("seq = ? AND status = 1", (seq,))
            self._remove("seq = ? AND status = 1", (seq,))
        if seqs:
            oldest = "SELECT seq FROM kept ORDER BY seq DESC LIMIT 1 OFFSET ?"
            self._db.execute(f"DELETE FROM kept WHERE seq <= ({oldest})", (keep,))  # noqa: S608 (our own words)

    def kept(self, first: int, last: int, limit: int) -> list[Row]:
        """Return acknowledged events with a seq from `first` to `last`, in order."""
        query = (
            "SELECT seq, kind, payload FROM (SELECT seq, kind, payload FROM kept"
            " UNION SELECT seq, kind, payload FROM events WHERE status = 1)"
            " WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?"
        )
        return [Row(*found) for found in self._db.execute(query, (first, last, limit))]

    def send_again(self) -> None:
        """Make every settling event pending once more."""
        changed = self._db.execute("UPDATE events SET status = 2 WHERE status = 1").rowcount
        self.depth += changed

    def make_room(self, limit: int) -> list[Row]:
        """Delete until at most `limit` bytes are left; return the deleted events that no broker had acknowledged."""
        lost = []
        if self.bytes > limit / 2:  # what waits goes before what was delivered
            self._db.execute("DELETE FROM kept")
        while self.bytes > limit and (found := self._db.execute(FIRST_TO_GO).fetchone()):
            seq, kind, payload, status = found
            self._remove("seq = ?", (seq,))
            if status != SETTLING:
                lost.append(Row(seq, kind, payload))
        return lost

    def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value under a key; None removes it."""
        if value is None:
            self._db.execute("DELETE FROM memory WHERE key = ?", (key,))
        else:
            query = "INSERT INTO memory VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value"
            self._db.execute(query, (key, sealed(value)))

    def recall(self, key: str) -> Any:
        """Return the value under a key, or None. A damaged value: None, and its key is added to `unreadable`."""
        found = self._db.execute("SELECT value FROM memory WHERE key = ?", (key,)).fetchone()
        try:
            return unsealed(found[0], KINDS.get(key, object)) if found else None
        except ValueError:
            self.unreadable.append(key)
            return None

    @property
    def last_seq(self) -> int:
        """Highest seq in the file; 0 when it is empty."""
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])

    def _prepare(self) -> None:
        # Only this process uses the file. In this mode the index of the WAL is in memory: a full disk needs no room.
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA wal_autocheckpoint=16")
        self._db.execute("PRAGMA cache_size=-512")  # KiB; the default of 2,000 fills for weeks with the kept events
        self._db.execute("PRAGMA journal_size_limit=0")  # the WAL is truncated after each checkpoint
        self._db.executescript(SCHEMA)
        found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            error = sqlite3.DatabaseError(found)
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error
        self._count()
        self._settle_before_start()

    def _settle_before_start(self) -> None:
        """Delete what settled before a restart; after a reboot send it again: the broker may have lost power too."""
        query = "SELECT DISTINCT boot FROM events WHERE status = 1"
        boots = {found[0] for found in self._db.execute(query)}
        if boots:
            with self.transaction(durable=False):
                self._to_kept("status = 1 AND boot = ?", (self._boot,))
                self._remove("status = 1 AND boot = ?", (self._boot,))
                self.send_again()

    def _count(self) -> None:
        query = "SELECT count(*) FILTER (WHERE status != 1), coalesce(sum(length(payload) + ?), 0) FROM events"
        self.depth, self.bytes = self._db.execute(query, (OVERHEAD,)).fetchone()

    def _to_kept(self, where: str, values: Sequence[Any]) -> None:
        query = f"INSERT OR IGNORE INTO kept SELECT seq, kind, payload FROM events WHERE {where}"  # noqa: S608
        self._db.execute(query, values)

    def _remove(self, where: str, values: Sequence[Any]) -> None:
        query = f"DELETE FROM events WHERE {where} RETURNING length(payload), status"  # noqa: S608 (our own words)
        for size, status in self._db.execute(query, values).fetchall():
            self.bytes -= size + OVERHEAD
            self.depth -= status != SETTLING


@dataclass(frozen=True)
class Salvage:
    """What could be read from a damaged database."""

    rows: tuple[Row, ...]
    memory: dict[str, Any]


def salvage(path: Path) -> Salvage:
    """Read a damaged database from both ends, up to the damage: undelivered events and saved values."""
    query = "SELECT seq, kind, payload FROM events WHERE status != 1 ORDER BY seq"
    rows: dict[int, Row] = {}
    memory: dict[str, Any] = {}
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as database:
        database.text_factory = _text
        for found in (*_until_error(database, query), *_until_error(database, query + " DESC")):
            rows[found[0]] = Row(*found)
        for key, value in _until_error(database, "SELECT key, value FROM memory"):
            with suppress(ValueError):
                memory[key] = unsealed(value, KINDS.get(key, object))
    return Salvage(tuple(rows[seq] for seq in sorted(rows)), memory)


def _until_error(database: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    with suppress(sqlite3.Error):
        yield from database.execute(query)


def _make_private(path: Path) -> None:
    """Let only the owner read the file; SQLite gives its -wal the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    with suppress(PermissionError):  # of another user
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)


def _text(found: bytes) -> str:
    """Read a text that may be damaged."""
    return found.decode(errors="replace")
