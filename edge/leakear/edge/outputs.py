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
    else:
        _try(path.parent, path, flag)


def folder(path: Path, flag: str) -> None:
    """Refuse a folder that neither is there to write into nor could be made. Raises LeakearError."""
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not there.is_dir():
        raise LeakearError(f"{flag} {path} cannot be a folder: {there} is a file")
    _try(there, path, flag)


def _try(place: Path, wanted: Path, flag: str) -> None:
    """Make a file that has gone again; only that tells of every way in which a folder can refuse."""
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            pass
    except OSError as error:
        raise LeakearError(f"{flag} {wanted} cannot be written: {error.strerror}") from None
