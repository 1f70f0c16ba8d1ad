"""Receives a bundle in parts over `cmd/model`: in order, limited in size, on disk, checked by its hash at the end."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leakear.edge.messages.requests import PART_BYTES, ModelRequest
from leakear.edge.mqtt.dispatcher import CommandRefused


@dataclass
class Transfer:
    """At most one transfer at a time; part 0 begins a new one and drops the last."""

    path: Path
    """file that collects the parts"""
    limit: Callable[[], int]
    """bytes; a reload may change it"""
    sha256: str = ""
    size: int = 0
    received: int = 0
    """bytes"""

    def add(self, request: ModelRequest) -> bytes | None:
        """Take a part; return the whole file when this was the last. Raises CommandRefused."""
        if request.sha256 is None or request.size is None or request.part is None or request.data is None:
            raise CommandRefused("cmd/model put needs sha256, size, part and data.")
        if request.part == 0:
            self._begin(request.sha256, request.size)
        if (request.sha256, request.size) != (self.sha256, self.size):
            raise CommandRefused("No transfer of this bundle is under way: begin with part 0.")
        return self._append(request.part, request.part_bytes())

    @property
    def parts(self) -> int:
        """Number of parts of the bundle under way."""
        return -(-self.size // PART_BYTES)

    @property
    def next_part(self) -> int:
        """Number of the part that is expected next."""
        return -(-self.received // PART_BYTES)

    def drop(self) -> None:
        """Delete what has arrived."""
        self.sha256, self.size, self.received = "", 0, 0
        self.path.unlink(missing_ok=True)

    def _begin(self, sha256: str, size: int) -> None:
        if size > (limit := self.limit()):
            raise CommandRefused(f"The bundle has {size} bytes; commands.max_model_bytes allows {limit}.")
        self.drop()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.sha256, self.size = sha256, size

    def _append(self, part: int, data: bytes) -> bytes | None:
        if part < self.next_part:
            return None  # QoS 1 may deliver a part twice
        start = part * PART_BYTES
        if start != self.received or len(data) != min(PART_BYTES, self.size - start):
            raise CommandRefused(f"Part {part} does not fit: expected is part {self.next_part} of {self.parts}.")
        with self.path.open("ab" if part else "wb") as file:
            file.write(data)
        self.received += len(data)
        return self._finish() if self.received == self.size else None

    def _finish(self) -> bytes:
        whole, promised = self.path.read_bytes(), self.sha256
        self.drop()
        if hashlib.sha256(whole).hexdigest() != promised:
            raise CommandRefused("The bundle does not have the SHA-256 that was promised: send it again.")
        return whole
