"""Where an archive lies: a folder of this machine, or any store that fsspec opens, listed and fetched one by one.

S3 is opened by pyarrow's own client: credentials and region as every AWS tool takes them, a compatible server by
AWS_ENDPOINT_URL (decision 163).
"""

import importlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakear.edge.errors import ConfigError, InputDataError
from leakear.edge.texts import printable
from leakear.train.data.dataset import SOUND_SUFFIXES

TRIES = 3
"""Attempts to fetch a recording from a store."""


@dataclass(frozen=True)
class Store:
    """An archive; picklable, so that each worker opens it for itself."""

    url: str
    """Absolute path of a folder, or scheme://…"""

    @property
    def local(self) -> bool:
        """Whether its recordings are files of this machine."""
        return "://" not in self.url

    def files(self) -> Iterator[tuple[str, int]]:
        """Yield (name relative to the archive, bytes) of each file, in order of the names, folder by folder.

        Hidden files and folders are left out. Raises InputDataError where the archive or a folder of it cannot be
        listed: a list with holes would not be told from a whole one.
        """
        system, root = _opened(self.url)
        try:
            if not system.isdir(root):
                raise InputDataError(f"{printable(self.url)} is no folder with recordings: name one")
            yield from _walk(system, root, "", frozenset())
        except OSError as error:
            raise InputDataError(f"{printable(self.url)} cannot be listed ({_why(error)})") from None

    @contextmanager
    def recording(self, name: str) -> Iterator[Path]:
        """Yield the path of a recording; one of a store is fetched, and removed at the end. Raises InputDataError."""
        if self.local:
            yield Path(self.url) / name
            return
        system, root = _opened(self.url)
        with tempfile.TemporaryDirectory(prefix="leakear-") as folder:
            path = Path(folder, "recording" + Path(name).suffix)
            for attempt in range(1, TRIES + 1):
                try:
                    system.get_file(f"{root}/{name}", str(path))
                    break
                except OSError as error:
                    if attempt == TRIES:
                        raise InputDataError(f"{path}: cannot be fetched ({_why(error)})") from None
            yield path


def store(text: str) -> Store:
    """Read the name of an archive."""
    return Store(text.rstrip("/") if "://" in text else str(Path(text).expanduser().absolute()))


def require() -> None:
    """Refuse to begin where a package is missing. Raises ConfigError."""
    for package in ("pyarrow", "fsspec"):
        try:
            importlib.import_module(package)
        except ImportError:
            raise ConfigError(f"score needs {package}, which is not here: pip install 'leakear[cluster]'") from None


def is_sound(name: str) -> bool:
    """Tell whether a file is a recording, by its name."""
    return os.path.splitext(name)[1].lower() in SOUND_SUFFIXES  # noqa: PTH122 - a name, not a path


def _walk(system: Any, root: str, below: str, above: frozenset[str]) -> Iterator[tuple[str, int]]:
    folder = f"{root}/{below}".rstrip("/")
    real = os.path.realpath(folder)
    if real in above:  # a link to a folder that holds it
        return
    for entry in sorted(system.ls(folder, detail=True), key=lambda entry: str(entry["name"])):
        last = str(entry["name"]).rstrip("/").rpartition("/")[2]
        name = f"{below}/{last}" if below else last
        if last.startswith(".") or str(entry["name"]).rstrip("/") == folder:
            continue
        if entry["type"] == "directory" or (entry.get("islink") and system.isdir(entry["name"])):
            yield from _walk(system, root, name, above | {real})
        else:
            yield name, int(entry.get("size") or 0)


def _opened(url: str) -> tuple[Any, str]:
    """Return fsspec's file system of a URL and the path in it. Raises InputDataError."""
    from fsspec.core import url_to_fs
    from fsspec.implementations.arrow import ArrowFSWrapper
    from pyarrow.fs import S3FileSystem

    if url.startswith("s3://"):
        return ArrowFSWrapper(S3FileSystem(**_endpoint())), url.removeprefix("s3://")
    try:
        system, root = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise InputDataError(f"{printable(url)} cannot be opened ({_why(error)})") from None
    return system, str(root).rstrip("/") or "/"


def _endpoint() -> dict[str, str]:
    """Return the address of a server that speaks S3, from AWS_ENDPOINT_URL."""
    url = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    scheme, _, host = url.partition("://")
    return {"scheme": scheme, "endpoint_override": host} if host else {}


def _why(error: BaseException) -> str:
    text = (error.strerror if isinstance(error, OSError) else "") or str(error)
    return printable(text.strip().partition("\n")[0][:200])
