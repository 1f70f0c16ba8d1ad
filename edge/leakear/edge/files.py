"""Whether a result can be written where it is wanted: asked first, for hours of work must not end in a refusal."""

import os
import tempfile
from pathlib import Path

from leakear.edge.errors import LeakearError


def file(path: Path, flag: str) -> None:
    """Refuse a file that could not be written. `flag` names it in the sentence. Raises LeakearError."""
    if path.is_dir():
        raise LeakearError(f"{flag} {path} is a folder: name a file")
    if path.exists():
        if not os.access(path, os.W_OK):
            raise LeakearError(f"{flag} {path} cannot be written: Permission denied")
    elif not path.parent.is_dir():
        raise LeakearError(f"{flag} {path} cannot be written: there is no folder {path.parent}")
    elif error := refusal(path.parent):
        raise LeakearError(f"{flag} {path} cannot be written: {error.strerror}")


def folder(path: Path, flag: str) -> None:
    """Refuse a folder that neither is there to write into nor could be made. Raises LeakearError."""
    if error := refusal(path):
        raise LeakearError(f"{flag} {path} cannot be written: {error.strerror}")


def refusal(folder: Path) -> OSError | None:
    """Return why nothing can be written into a folder that is there or would be made; None: it can.

    It makes a file that has gone again: only that tells of every way in which a folder can refuse.
    """
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        with tempfile.NamedTemporaryFile(dir=there):
            return None
    except OSError as error:
        return error
