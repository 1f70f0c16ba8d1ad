"""Writing files: whole or not at all, and asked first where hours of work would end in a refusal."""

import os
import stat
import tempfile
from contextlib import suppress
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


def write_whole(path: Path, data: bytes, *, mode: int = 0o644, like: Path | None = None) -> None:
    """Replace a file's content in one step that survives a power cut: the old content or the new one, never a mixture.

    A symbolic link stays one: its target is replaced. An existing file keeps its mode and owner; a new one gets them
    from `like`, else `mode` (less the umask). Raises OSError, with the file untouched.
    """
    target = path.resolve()
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            _take_rights(file.fileno(), target if target.exists() else like, mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _take_rights(descriptor: int, model: Path | None, mode: int) -> None:
    """Give an open file the owner and mode of `model`; without one, `mode` less the umask."""
    if model is None:
        os.fchmod(descriptor, mode & ~_umask())
        return
    there = model.stat()
    with suppress(PermissionError):  # only root may give a file away
        os.fchown(descriptor, there.st_uid, there.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(there.st_mode))


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
