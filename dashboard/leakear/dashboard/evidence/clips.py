"""Evidence clips: assembled from a node's answers and kept as files, with their digests in the database."""

import base64
import hashlib
import os
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select

from leakear.dashboard.evidence import media
from leakear.dashboard.history import insert_new
from leakear.dashboard.history.tables import clips
from leakear.edge import files
from leakear.edge.errors import InputDataError

KINDS = {"audio/flac": ".flac", "audio/wav": ".wav", "audio/x-wav": ".wav", "image/png": ".png"}
"""allowed media types: none that a browser would execute"""
MAX_PARTS = 400
MAX_BYTES = 32 * 2**20
"""of one clip"""


@dataclass
class Assembly:
    """Parts of one file of an event, received in any order."""

    event_id: str
    media_type: str = ""
    count: int = 0
    parts: dict[int, bytes] = field(default_factory=dict)

    def add(self, result: dict[str, Any]) -> bool:
        """Add one part; True when the file is complete; InputDataError for an invalid part."""
        kind, part, count = result.get("media_type"), result.get("part"), result.get("parts")
        if result.get("event_id") != self.event_id or kind not in KINDS:
            raise InputDataError("The node sent something that is not a part of this clip.")
        if not isinstance(part, int) or not isinstance(count, int) or not 0 <= part < count <= MAX_PARTS:
            raise InputDataError("The node sent a part of the clip without a proper number.")
        self.media_type, self.count = kind, count
        self.parts[part] = _decode(result.get("data"))
        self.parts = {n: data for n, data in self.parts.items() if n < count}
        if sum(map(len, self.parts.values())) > MAX_BYTES:
            raise InputDataError(f"The clip is larger than {MAX_BYTES >> 20} MiB.")
        return len(self.parts) == self.count

    @property
    def content(self) -> bytes:
        """The whole file."""
        return b"".join(self.parts[n] for n in sorted(self.parts))


def _decode(data: object) -> bytes:
    try:
        return base64.b64decode(str(data), validate=True)
    except ValueError as error:  # also a character that is not ASCII
        raise InputDataError("A part of the clip is not base64.") from error


class Clips:
    """Folder of fetched clips. Blocking: the event loop calls it in a thread."""

    def __init__(self, engine: Engine, folder: Path, budget_bytes: int) -> None:
        self.engine = engine
        self.folder = folder
        self.budget_bytes = budget_bytes

    def store(self, event_id: str, media_type: str, content: bytes) -> None:
        """Store a file; InputDataError when it is damaged, or the disk space for clips is used up."""
        if self._used() + len(content) > self.budget_bytes:
            raise InputDataError("The disk space for clips is used up: raise --clips-mib, or shorten --keep-events.")
        media.check(media_type, content)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{event_id}{KINDS[media_type]}"
        path.unlink(missing_ok=True)  # a link would be followed
        files.write(path, content, mode=0o600)
        row = {
            "event_id": event_id, "media_type": media_type, "file": path.name, "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(), "fetched": time.time(),
        }  # fmt: skip
        statement = insert_new(self.engine, clips).values(**row)
        with self.engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["event_id", "media_type"], set_=row))

    def path(self, event_id: str, family: str) -> tuple[Path, str] | None:
        """File and media type of an event's `audio` or `image`."""
        mine = (clips.c.event_id == event_id, clips.c.media_type.like(f"{family}/%"))
        with self.engine.connect() as connection:
            found = connection.execute(select(clips).where(*mine)).first()
        if found is None:
            return None
        path = self.folder / Path(found.file).name
        return None if path.is_symlink() or not path.is_file() else (path, str(found.media_type))

    @staticmethod
    def read(path: Path) -> bytes:
        """Return the content of a clip; InputDataError for a link and for a file that is no clip."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise InputDataError("not a file")
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise InputDataError(f"not readable: {error.strerror}") from error
        if len(content) > MAX_BYTES:
            raise InputDataError(f"larger than {MAX_BYTES >> 20} MiB")
        return content

    def remove(self, names: list[str]) -> None:
        """Delete files whose events were deleted."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def _used(self) -> int:
        with self.engine.connect() as connection:
            return connection.scalar(select(func.coalesce(func.sum(clips.c.bytes), 0))) or 0
