"""Disk access of the outbox: a failed write is reported as a fault and tried again later.

A full or read-only disk refuses writes but can still be read, so the database stays open. A damaged database is set
aside under another name, read as far as it goes, and replaced by a new one.
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
"""s for which a damaged database stays among the faults"""


class Disk:
    """Guards one database file and its sequence file.

    `opened` is called with each newly opened store, and with what a damaged one before it still gave.
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
        """Give database and lock back."""
        self._drop_store()
        if self._sequence is not None:
            self._sequence.close()
            self._sequence = None

    def last_seq(self) -> int:
        """Seq noted beside the database; 0 where nothing can be read. Takes the lock against a second daemon."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._sequence = self._sequence or Sequence(self.path.with_suffix(".seq"))
        except OSError as error:
            self._refused(error)
            return 0
        return self._sequence.last

    def note_seq(self, seq: int) -> None:
        """Note a seq as given out; with the database failing this is all that keeps it from repeating."""
        try:
            self._sequence = self._sequence or Sequence(self.path.with_suffix(".seq"))
            self._sequence.record(seq)
        except OSError as error:
            self._refused(error)

    def read(self, work: Callable[[Store], T], default: T) -> T:
        """Give what `work` reads, or the default."""
        found: list[T] = []
        self._try(lambda store: found.append(work(store)), patient=self.store is not None)
        return found[-1] if found else default

    def write(self, work: Callable[[Store], object]) -> bool:
        """Do `work`; False when the disk refuses, or did so less than `retry_s` ago."""
        done = self._try(work, patient=False)
        if done and self.faults.pop("outbox_disk", ""):
            log.warning("the outbox %s can be written again", self.path)
        return done

    def rescue(self) -> Salvage | None:
        """Read a database that cannot be opened where it is (a card that has turned read-only) from a copy.

        The copy is in memory where the system has such a place: what refuses the database may be the whole disk. None:
        it could not be read.
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
        """Stop showing what was healed long ago."""
        if self._monotonic() - self._corrupt_at > CORRUPT_SHOWN_S:
            self.faults.pop("outbox_corrupt", None)

    def _try(self, work: Callable[[Store], object], *, patient: bool) -> bool:
        if not patient and self._monotonic() - self._failed_at < self._retry_s:
            return False
        try:
            self._healed(work)
        except (sqlite3.Error, OSError) as error:
            self._refused(error)
            return False
        return True

    def _healed(self, work: Callable[[Store], object]) -> None:
        """Do `work`, a second time with a new database where the first try finds it damaged."""
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
                    f"what the outbox {self.path} remembered ({', '.join(store.unreadable)}) was damaged: the"
                    " node goes on without it. Check the SD card, and the settings that were made over MQTT."
                )
        return self.store

    def _set_aside(self, error: sqlite3.Error) -> None:
        """Move the damaged files out of the way (only the newest such are kept) and read what they still give."""
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
                f"the outbox {self.path} cannot be written ({error}): new events are kept in memory only. Make room on"
                " the disk or make it writable; they are then written."
            )
            log.error("%s", self.faults["outbox_disk"])

    def _drop_store(self) -> None:
        if self.store is not None:
            self.store.close()
            self.store = None


def _readable(found: Salvage) -> Salvage:
    """Keep the rows that are whole."""
    return replace(found, rows=tuple(row for row in found.rows if _is_whole(row)))


def _is_whole(row: Row) -> bool:
    try:
        return Event.from_json(row.payload).seq == row.seq
    except (InputDataError, TypeError):
        return False
