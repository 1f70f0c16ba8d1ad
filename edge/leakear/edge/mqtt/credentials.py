"""Secrets of the broker connection: from systemd's credentials, the environment or a file; never from a command line.

A systemd credential (`LoadCredential=mqtt-password:/etc/leakear/mqtt-password`) is used first: only the
daemon can read it. Its names: `mqtt-username`, `mqtt-password`, `mqtt-ca`, `mqtt-client-certificate`,
`mqtt-client-key`. Nothing here is ever logged.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from leakear.edge import options, texts
from leakear.edge.errors import ConfigError

DIRECTORY = "CREDENTIALS_DIRECTORY"
"""systemd's variable"""


@dataclass(frozen=True)
class Login:
    """The node's user name and password on the broker; empty: anonymous."""

    username: str
    password: str = field(repr=False)


def credential(name: str, environment: Mapping[str, str] | None = None) -> Path | None:
    """Path of a systemd credential; None when the service was given none of that name."""
    folder = (os.environ if environment is None else environment).get(DIRECTORY, "")
    path = Path(folder) / name
    return path if folder and path.is_file() else None


def login(username: str, password: str, password_file: str) -> Login:
    """Return user and password: from the credentials, else from settings or environment, else from the file.

    Raises ConfigError that names the file or key.
    """
    user_path, password_path = credential("mqtt-username"), credential("mqtt-password")
    name = _secret(user_path, "mqtt-username") if user_path else username
    if password_path is not None:
        word = _secret(password_path, "mqtt-password")
    elif password or not password_file:
        word = password
    else:
        word = _secret(options.path(password_file), "mqtt.password_file")
    if word and not name:
        raise ConfigError("mqtt has a password but no user: set mqtt.username, or give the credential mqtt-username.")
    if any("\ud800" <= letter <= "\udfff" for letter in word):  # bytes of the environment that are no text
        raise ConfigError("mqtt.password is no UTF-8 text: put it into a file, and name that in mqtt.password_file.")
    return Login(name, word)


def _secret(path: Path, key: str) -> str:
    """Content of a file without the line end that editors leave."""
    try:
        text = texts.read(path).rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"{key}: {path}: {error.strerror}; make it readable for the user of the service.") from None
    except texts.TextError as error:
        raise ConfigError(f"{key}: {path} {error}.") from None
    if not text:
        raise ConfigError(f"{key}: {path} is empty; put the secret into it.")
    return text
