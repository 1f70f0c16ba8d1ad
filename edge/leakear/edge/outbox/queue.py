"""The outbox: keeps each event durably from the moment it is decided until a broker has acknowledged it.

Main thread only; events are in the order of `seq`. While the disk is full or read-only, events are kept in memory; a
damaged database is replaced (`recovery`): both show in `faults`, neither stops the node. The size is limited: events
that a broker has acknowledged are deleted first, then the oldest that are no change of state, then the oldest changes
of state, WARNING and LEAK last. Deleted undelivered events are counted and, once there is room, reported as an event.

An acknowledged event is kept for some seconds before it is deleted. If the connection is lost in that time it is sent
again under the same id: brokers acknowledge before they save, so a broker that crashes then has lost it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from leakear.edge.messages.reports import Event
from leakear.edge.outbox import given_up, told
from leakear.edge.outbox.database import Row, Salvage, Store
from leakear.edge.outbox.options import OutboxOptions
from leakear.edge.outbox.recovery import Disk

__all__ = ["Outbox", "OutboxOptions"]


BATCH = 8
"""events written in one transaction when a disk works again"""


class Outbox:
    """Durable queue of events, and the daemon's saved state. `path` is the database file."""

    def __init__(
        self, path: str | Path, options: OutboxOptions | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.options = options or OutboxOptions()
        self.counters = {"put": 0, "delivered": 0, "dropped": 0, "salvaged": 0}
        """since the first start of this node"""
        self.last_seq = 0
        """seq of the newest event; 0 before the first"""
        self._monotonic = monotonic
        self._memory: list[Row] = []
        """events that could not be written to the disk"""
        self._acked: set[int] = set()
        """seqs of acknowledged events whose mark is not on the disk yet"""
        self._settling: dict[int, float] = {}
        """seq → monotonic s of its acknowledgement"""
        self._given_up: dict[str, Any] | None = None
        """events deleted and not yet reported: their `count`, and the last of them as the `form` of the report"""
        self._state: dict[str, Any] = {}
        self._told: dict[str, Any] | None = None
        """what events have told since the state on the disk"""
        self._dirty = False
        self._unread = False
        """whether the disk may hold a state that could not be read at the start"""
        self._late: dict[str, Any] = {}
        self._saved = self._kept = monotonic()
        self._disk = Disk(Path(path), self.options.retry_s, monotonic)
        self._disk.opened = self._adopt
        self.last_seq = self._disk.last_seq()
        self._disk.read(lambda _: None, None)
        if self._disk.store is None:
            self._work_from_memory(self._disk.rescue())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is not on the disk yet, if the disk works, and close."""
        if self._dirty or self._memory:
            self._disk.write(self._save, self._save_less, urgent=True)
        self._disk.close()

    @property
    def faults(self) -> dict[str, str]:
        """Name → sentence, of what is wrong with disk or queue now."""
        if self._given_up is None:
            return dict(self._disk.faults)
        count = self._given_up["count"]
        return self._disk.faults | {
            "outbox_full": f"{count} events were given up: the outbox is full and no broker takes them."
        }

    @property
    def depth(self) -> int:
        """Events that no broker has acknowledged."""
        stored = self._disk.store.depth if self._disk.store else 0
        return max(stored + len(self._memory) - len(self._acked), 0)

    @property
    def bytes(self) -> int:
        """Bytes of the queue, on disk and in memory."""
        return (self._disk.store.bytes if self._disk.store else 0) + sum(row.size for row in self._memory)

    def put(self, event: Event, state: Mapping[str, Any] | None = None) -> Event:
        """Give an event its seq and keep it; with `state`, both are written in one transaction."""
        if state is not None:
            self._state, self._dirty = dict(state), True
        self.last_seq += 1
        numbered = replace(event, seq=self.last_seq)
        self._memory.append(Row(self.last_seq, event.kind, numbered.to_json()))
        self.counters["put"] += 1
        self._told = told.after(self._told, event)
        if not self._disk.write(self._save, self._save_less, urgent=True):
            self._bound_memory()
        self._disk.note_seq(self.last_seq)
        return numbered

    def amend(self, event: Event) -> bool:
        """Replace the newest event before it is sent. A power cut may undo that."""
        row = Row(event.seq, event.kind, event.to_json())
        if self._memory and self._memory[-1].seq == row.seq:
            self._memory[-1] = row
            return True
        return self._disk.write(lambda store: store.amend(row))

    def pending(self, limit: int, after: int = 0) -> list[Row]:
        """Return the oldest unacknowledged events with a seq above `after`, in order."""
        nothing: list[Row] = []
        stored = self._disk.read(lambda store: store.pending(limit + len(self._acked), after), nothing)
        rows = [*stored, *(row for row in self._memory if row.seq > after)]
        return [row for row in rows if row.seq not in self._acked][:limit]

    def ack(self, *seqs: int) -> None:
        """Mark events as acknowledged by a broker."""
        known = set(seqs) - self._acked
        in_memory = {row.seq for row in self._memory} & known
        self._memory = [row for row in self._memory if row.seq not in in_memory]
        self._acked |= known - in_memory
        self.counters["delivered"] += len(in_memory)
        self._disk.write(self._mark)

    def connection_lost(self) -> None:
        """Send again what a broker acknowledged within the last `settle_s`."""
        if self._settling and self._disk.write(_send_again):
            self._settling.clear()

    def maintain(self) -> None:
        """Do what is due, at most once a second; cheap when nothing is."""
        now = self._monotonic()
        if now - self._kept < min(1.0, self.options.retry_s):
            return
        self._kept = now
        self._disk.expire_faults()
        if self._memory or self._unread or (self._dirty and now - self._saved >= self.options.save_s):
            self._disk.write(self._save, self._save_less)
        if self._acked or self._settled(now):
            self._disk.write(self._mark)
        self._report_given_up()

    def save_state(self, state: Mapping[str, Any], *, at_once: bool = False) -> None:
        """Save the daemon's state (JSON values): at once, or with the next batch, which wears the SD card less."""
        if dict(state) != self._state:
            self._state, self._dirty = dict(state), True
        if self._dirty and (at_once or self._monotonic() - self._saved >= self.options.save_s):
            self._disk.write(self._save)

    def load_state(self) -> dict[str, Any]:
        """Return what was saved last; empty at the first start."""
        return dict(self._state)

    def take_late_state(self) -> dict[str, Any]:
        """Return, once, the saved state if the disk could be read only after the start; else empty."""
        found, self._late = self._late, {}
        return found

    def kept(self, first: int, last: int, limit: int) -> list[Row]:
        """Return events with a seq from `first` to `last` that a broker has acknowledged, in order, `limit` at most."""
        nothing: list[Row] = []
        return self._disk.read(lambda store: store.kept(first, last, limit), nothing)

    def recall(self, key: str) -> Any:
        """Return a JSON value that another part keeps beside the events; None: there is none, or no disk."""
        return self._disk.read(lambda store: store.recall(key), None)

    def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value of another part, if the disk works."""

        def write(store: Store) -> None:
            with store.transaction(durable=True):
                store.remember(key, value)

        self._disk.write(write)

    def _adopt(self, store: Store, salvage: Salvage | None) -> None:
        """Load the state of a newly opened database; write into it what was read from a damaged one."""
        if salvage is not None:
            self.last_seq += 1  # skip one number: the gap shows that events may be lost
            with store.transaction(durable=True):
                for row in salvage.rows:
                    store.add(row)
                for key, value in salvage.memory.items():
                    store.remember(key, value)
        found = store.recall("state")
        if self._unread:
            self._late, self._unread = found or {}, False
        if not self._dirty or self._late:  # do not overwrite a saved state that this run has not read
            self._told, self._dirty = store.recall("told"), False
            self._state = told.taken_over(found, self._told) if found else self._state
        kept = store.recall("counters") or {}
        self.counters = {name: max(count, kept.get(name, 0)) for name, count in self.counters.items()}
        self.counters["salvaged"] += len(salvage.rows) if salvage else 0
        self._given_up = self._given_up or store.recall("given_up")
        self.last_seq = max(self.last_seq, store.last_seq, store.recall("seq") or 0)

    def _work_from_memory(self, rescued: Salvage | None) -> None:
        """Use what could be read from a disk that cannot be written."""
        if rescued is None:
            self._unread = True
            return
        self._memory = list(rescued.rows)
        self._told = rescued.memory.get("told")
        self._state = told.taken_over(rescued.memory.get("state") or {}, self._told)
        self.last_seq = max([self.last_seq, rescued.memory.get("seq", 0), *(row.seq for row in rescued.rows)])
        self._bound_memory()

    def _save(self, store: Store) -> None:
        """Write events and saved values in one durable transaction."""
        lost_before, counters = self._given_up, self.counters
        self._save_events(store, keep=BATCH)  # on a nearly full disk a large transaction would not fit
        with store.transaction(durable=True):
            for row in self._memory:
                store.add(row)
            if lost := store.make_room(self.options.max_bytes):
                lost_before, counters = given_up.add(self._given_up, self.counters, lost)
            store.remember("seq", self.last_seq)  # settled events are deleted: their numbers are nowhere else
            store.remember("given_up", lost_before)
            store.remember("counters", counters)
            store.remember("state", self._state)
            store.remember("told", None)
        self._told = None
        self._memory, self._given_up, self.counters = [], lost_before, counters
        self._dirty, self._saved = False, self._monotonic()

    def _save_less(self, store: Store) -> None:
        """Write events, then what they have told: where they fit and the saved state, which is larger, does not."""
        self._save_events(store)
        if self._told is not None:
            with store.transaction(durable=True):
                store.remember("told", self._told)

    def _save_events(self, store: Store, keep: int = 0) -> None:
        """Write events alone, until `keep` are left."""
        while len(self._memory) > keep:
            with store.transaction(durable=True):
                for row in self._memory[:BATCH]:
                    store.add(row)
            self._memory = self._memory[BATCH:]

    def _mark(self, store: Store) -> None:
        """Write acknowledgements, and delete what has settled."""
        now = self._monotonic()
        with store.transaction(durable=False):
            seqs, first = store.acknowledge(sorted(self._acked))
            settling = dict.fromkeys(seqs, now)
            settled = self._settled(now, settling)
            store.forget(settled, self.options.keep_events)
            counters = self.counters | {"delivered": self.counters["delivered"] + first}
            store.remember("counters", counters)
        self._acked, self.counters = set(), counters
        self._settling = {seq: since for seq, since in (self._settling | settling).items() if seq not in settled}

    def _settled(self, now: float, more: Mapping[int, float] | None = None) -> set[int]:
        everything = self._settling | dict(more or {})
        return {seq for seq, since in everything.items() if now - since >= self.options.settle_s}

    def _bound_memory(self) -> None:
        """Delete what is above the limit in memory, in the same order as on disk; never the newest."""
        excess = sum(row.size for row in self._memory) - self.options.memory_bytes
        lost: list[Row] = []
        for row in sorted(self._memory[:-1], key=lambda row: (row.weight, row.seq)):
            if excess <= 0:
                break
            lost.append(row)
            excess -= row.size
        if lost:
            self._memory = [row for row in self._memory if row not in lost]
            self._given_up, self.counters = given_up.add(self._given_up, self.counters, lost)

    def _report_given_up(self) -> None:
        """Report losses as an event, once the queue is half empty and the disk works."""
        if self._given_up is None or "outbox_disk" in self._disk.faults or self.bytes > self.options.max_bytes / 2:
            return
        lost, self._given_up = self._given_up, None
        if (report := given_up.report(lost, self.options.max_bytes)) is not None:
            self.put(report)


def _send_again(store: Store) -> None:
    with store.transaction(durable=False):
        store.send_again()
