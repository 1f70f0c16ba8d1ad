"""Retries and repairs database access. An error becomes a fault with a sentence, and is tried again later.

A full or read-only disk can still be read, so the database stays open. A damaged database is renamed, read as far as
possible, and replaced by a new one.
"""

import logging
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from leakear.edge.clock import boot_id
from leakear.edge.errors import InputDataError
from leakear.edge.messages.reports import Event
from leakear.edge.outbox.database import Row, Salvage, Store, is_corrupt, salvage
from leakear.edge.outbox.sequence import Sequence

log = logging.getLogger(__name__)
T = TypeVar("T")

IN_MEMORY = "/dev/shm"  # noqa: S108 (a folder with a random name is made in it)
CORRUPT_SHOWN_S = 3600.0
"""s for which a damaged database is reported as a fault"""


class Disk:
    """One database file and its sequence file.

    `opened` is called with each newly opened store, and with what could be read from a damaged one before it.
    """

    def __init__(self, path: Path, retry_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.faults: dict[str, str] = {}
        self.path = path
        self.store: Store | None = None
        self.opened: Callable[[Store, Salvage | None], None] = lambda _store, _salvage: None
        self._salvage: Salvage | None = None
        self._sequence: Sequence | None = None
        self._retry_s, self._monotonic = retry_s, monotonic
        self._failed_at = self._corrupt_at = -1e9

    def close(self) -> None:
        """Close the database and release the lock."""
        self._drop_store()
        if self._sequence is not None:
            self._sequence.close()
            self._sequence = None

    def last_seq(self) -> int:
        """Return the seq in the sequence file; 0 when it cannot be read. Takes the lock against a second daemon."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sequence = self._sequence or Sequence(self.path.with_suffix(".seq"))
        except OSError as error:
            self._refused(error)
            return 0
        return self._sequence.last

    def note_seq(self, seq: int) -> None:
        """Write the newest seq to the sequence file: when the database fails, only this prevents repeated numbers."""
        try:
            self._sequence = self._sequence or Sequence(self.path.with_suffix(".seq"))
            self._sequence.record(seq)
        except OSError as error:
            self._refused(error)

    def read(self, work: Callable[[Store], T], default: T) -> T:
        """Return what `work` reads, or the default when the disk fails."""
        found: list[T] = []
        if self.store is not None or self._due:
            self._try(lambda store: found.append(work(store)))
        return found[-1] if found else default

    def write(
        self, work: Callable[[Store], object], less: Callable[[Store], object] | None = None, *, urgent: bool = False
    ) -> bool:
        """Do `work`; where it fails `less`, which may still fit on a full disk: the fault then stays.

        False when the disk fails, or did so less than `retry_s` ago; `urgent`: `less` is tried even so.
        """
        due = self._due
        if due and self._try(work):
            if self.faults.pop("outbox_disk", ""):
                log.warning("the outbox %s can be written again", self.path)
            return True
        return less is not None and (due or urgent) and self._try(less)

    def rescue(self) -> Salvage | None:
        """Read a copy of a database that cannot be opened (for example on a card that became read-only).

        The copy is in memory if the system has such a folder, since the whole disk may fail. None: it could not be
        read.
        """
        for place in (IN_MEMORY, None):
            with suppress(OSError), TemporaryDirectory(prefix="leakear-", dir=place) as folder:
                copy = Path(folder) / self.path.name
                for suffix in ("", "-wal"):
                    if Path(f"{self.path}{suffix}").exists():
                        shutil.copyfile(f"{self.path}{suffix}", f"{copy}{suffix}")
                return _readable(salvage(copy))
        return None

    def expire_faults(self) -> None:
        """Remove the fault of a database that was replaced long ago."""
        if self._monotonic() - self._corrupt_at > CORRUPT_SHOWN_S:
            self.faults.pop("outbox_corrupt", None)

    @property
    def _due(self) -> bool:
        """Whether the disk may be tried again."""
        return self._monotonic() - self._failed_at >= self._retry_s

    def _try(self, work: Callable[[Store], object]) -> bool:
        try:
            self._with_repair(work)
        except (sqlite3.Error, OSError) as error:
            self._refused(error)
            return False
        return True

    def _with_repair(self, work: Callable[[Store], object]) -> None:
        """Do `work`; when the database is damaged, replace it and do `work` again."""
        try:
            work(self._open())
        except sqlite3.Error as error:
            if not is_corrupt(error):
                raise
            self._set_aside(error)
            work(self._open())

    def _open(self) -> Store:
        if self.store is None:
            store = Store(self.path, boot_id())
            try:
                self.opened(store, self._salvage)
            except BaseException:
                store.close()
                raise
            self.store = store
            self._salvage = None
            if store.unreadable:
                self._corrupt(
                    f"saved values in the outbox {self.path} ({', '.join(store.unreadable)}) were damaged: the"
                    " node continues without them. Check the SD card, and the values that were set remotely."
                )
        return self.store

    def _set_aside(self, error: sqlite3.Error) -> None:
        """Rename the damaged files (only the newest are kept) and read what is still readable."""
        self._drop_store()
        aside = self.path.with_suffix(".corrupt")
        for suffix in ("", "-wal", "-shm"):
            Path(f"{aside}{suffix}").unlink(missing_ok=True)
            part = Path(f"{self.path}{suffix}")
            if part.exists():
                part.replace(f"{aside}{suffix}")
        self._salvage = _readable(salvage(aside))
        self._corrupt(
            f"the outbox {self.path} was damaged ({error}): it is kept as {aside.name};"
            f" {len(self._salvage.rows)} waiting events were read from it, others may be lost (seq shows a gap)."
            " Check the SD card."
        )

    def _corrupt(self, sentence: str) -> None:
        self._corrupt_at = self._monotonic()
        self.faults["outbox_corrupt"] = sentence
        log.error("%s", sentence)

    def _refused(self, error: Exception) -> None:
        self._failed_at = self._monotonic()
        if self.store is not None:
            with suppress(sqlite3.Error):
                self.store.give_room()
        if "outbox_disk" not in self.faults:
            self.faults["outbox_disk"] = (
                f"the outbox {self.path} cannot be written ({error}): what does not fit is kept in memory only. Make"
                " room on the disk or make it writable; it is then written."
            )
            log.error("%s", self.faults["outbox_disk"])

    def _drop_store(self) -> None:
        if self.store is not None:
            self.store.close()
            self.store = None


def _readable(found: Salvage) -> Salvage:
    """Keep only the rows that are complete events."""
    return replace(found, rows=tuple(row for row in found.rows if _is_whole(row)))


def _is_whole(row: Row) -> bool:
    try:
        return Event.from_json(row.payload).seq == row.seq
    except (InputDataError, TypeError):
        return False
