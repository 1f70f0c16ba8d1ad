"""Files: written whole or not at all, and whether a result can be written where it is wanted.

The second is asked before hours of work.
"""

import errno
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from leakear.edge.errors import LeakearError


def write(path: str | Path, data: bytes, *, mode: int | None = None, like: Path | None = None) -> None:
    """Write a file whole or not at all. Mode and owner as `replacing` says. Raises OSError."""
    with replacing(path, mode=mode, like=like) as temporary:
        temporary.write_bytes(data)


@contextmanager
def replacing(path: str | Path, *, mode: int | None = None, like: Path | None = None) -> Iterator[Path]:
    """Yield a temporary file to write into; it takes the place of `path` at the end, unless an error is raised.

    A symbolic link is kept: its target is replaced. Mode and owner are those of `like` (None: of the file that is
    replaced); a new file has `mode` (None: what the umask leaves). Data are on the disk when this returns.
    """
    target = Path(os.path.realpath(path))
    old = _stat(like or target)
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}{target.suffix}")
    private = old is not None or mode is not None
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600 if private else 0o666))
    try:
        yield temporary
        _sync(temporary)
        if old is not None:
            _keep_owner_and_mode(temporary, old)
        elif mode is not None:
            temporary.chmod(mode)
        _put(temporary, target)
        with suppress(OSError):  # the file is in place; a folder that cannot be synced is no failure of the write
            _sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _keep_owner_and_mode(path: Path, old: os.stat_result) -> None:
    """Set owner, group and mode as in `old`. Where the group may not be set, the group gets no rights."""
    mode = stat.S_IMODE(old.st_mode)
    mine = path.stat()
    if mine.st_uid != old.st_uid:
        with suppress(PermissionError):
            os.chown(path, old.st_uid, -1)
    if mine.st_gid != old.st_gid:
        try:
            os.chown(path, -1, old.st_gid)
        except PermissionError:
            mode &= ~stat.S_IRWXG
    path.chmod(mode)


def _put(temporary: Path, target: Path) -> None:
    """Move a file onto another.

    A file that is itself a mount point cannot be replaced: it is written in place, and gets its old content back when
    the disk refuses that. A power cut in between can damage it.
    """
    try:
        temporary.replace(target)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        old = target.read_bytes()
        try:
            shutil.copyfile(temporary, target)
            _sync(target)
        except OSError:
            target.write_bytes(old)
            raise


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file(path: Path, flag: str) -> None:
    """Refuse a file that could not be written. `flag` names it in the sentence. Raises LeakearError."""
    if path.is_dir():
        raise LeakearError(f"{flag} {path} is a folder: name a file")
    if path.exists():
        if not os.access(path, os.W_OK):
            raise LeakearError(f"{flag} {path} cannot be written: Permission denied")
        place = Path(os.path.realpath(path)).parent
        if error := refusal(place):  # the file is replaced, and not written in place
            raise LeakearError(f"{flag} {path} cannot be replaced: its folder {place} refuses it: {error.strerror}")
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
