"""Reads the small text files that the command line names: a password, addresses for notifications."""

from pathlib import Path

from leakear.dashboard.options import warn_if_shared
from leakear.edge import texts
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
    if secret:
        warn_if_shared(flag, path)
    try:
        return texts.decode(content)
    except texts.TextError as error:
        raise ConfigError(f"{flag} {path} {error}.") from None
