"""Reads the small text files that the command line names: a password, addresses for notifications."""

from pathlib import Path

from leakear.dashboard.options import warn_if_shared
from leakear.edge.errors import ConfigError

LARGEST = 64 * 1024
"""bytes"""


def read_text(path: Path, flag: str, *, secret: bool = False) -> str:
    """Return the text of a file; ConfigError names `flag` and the file, and quotes nothing of it.

    A byte order mark is skipped. `secret`: warn when other users of this machine may read the file.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{flag} {path} cannot be read: {error.strerror}.") from error
    if len(content) > LARGEST:
        raise ConfigError(f"{flag} {path} is larger than {LARGEST >> 10} KiB: it is not such a file.")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ConfigError(f"{flag} {path} is UTF-16: save it as UTF-8.")
    if secret:
        warn_if_shared(flag, path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{flag} {path} is not UTF-8: save it as UTF-8.") from error
