"""What decides whether two machines compute the same: versions, code, and the files that a computation names."""

import hashlib
import importlib.util
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from leakear.edge.errors import LeakearError

PARTS = ("leakear.edge", "leakear.train", "leakear.convert")
PACKAGES = (
    "numpy", "scipy", "soxr", "soundfile", "ai-edge-litert", "keras", "tensorflow-cpu", "tensorflow",
    "scikit-learn", "pyarrow", "fsspec", "dask", "distributed", "cloudpickle",
)  # fmt: skip
"""Packages whose version may change a result or what a message between machines means."""
SHARED = ".leakear-shared-"
"""Begin of the name of a file by which workers see that a folder is the same one."""


@dataclass(frozen=True)
class Identity:
    """Names of what must be equal, each with its value."""

    facts: tuple[tuple[str, str], ...]
    files: tuple[tuple[Path, str], ...] = ()
    """File → its sha256."""

    def difference(self, other: "Identity") -> str:
        """Say what `other`, a worker, has that this one has not; empty: nothing."""
        theirs = dict(other.facts)
        for name, value in self.facts:
            if theirs.get(name) != value:
                return f"has {name} {theirs.get(name) or 'of another version'}, here it is {value}: install the same"
        found = dict(other.files)
        for path, value in self.files:
            if found.get(path) == value:
                continue
            if path.name.startswith(SHARED):
                return f"does not see {path.parent}: put it on a file system that all machines share"
            if not found.get(path):
                return f"cannot read {path}: put it on a file system that all machines share"
            return f"has another file {path}: copy the one from here"
        return ""


def here(files: Sequence[Path] = ()) -> Identity:
    """Return the identity of this process, and of files as it sees them."""
    return Identity(_facts(), tuple((path, digest(path)) for path in files))


def digest(path: Path) -> str:
    """Return the sha256 of a file; empty: it cannot be read."""
    try:
        known = path.stat()
        return _digest(path, known.st_mtime_ns, known.st_size)
    except OSError:
        return ""


@lru_cache(maxsize=256)
def _digest(path: Path, _changed: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1)
def _facts() -> tuple[tuple[str, str], ...]:
    """Return versions and the digest of the code. The machine is not among them: docs/CLUSTER.md."""
    versions = [("python", platform.python_version())]
    for name in PACKAGES:
        try:
            versions.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            versions.append((name, "none"))
    return (*versions, ("leakear code", code(PARTS)))


def code(parts: Sequence[str]) -> str:
    """Return a digest of the text of packages, 16 digits."""
    found = hashlib.sha256()
    for part in parts:
        spec = importlib.util.find_spec(part)
        folders = (spec.submodule_search_locations or []) if spec else []
        for folder in folders:
            for path in sorted(Path(folder).rglob("*.py")):
                found.update(f"{part} {path.relative_to(folder)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:16]


class OtherWorkerError(LeakearError):
    """A worker would compute something else."""

    exit_code = 78


def require(expected: Identity, name: str) -> None:
    """Refuse to work in this process, called `name`, where it is not as expected. Raises OtherWorkerError."""
    if why := expected.difference(here([path for path, _ in expected.files])):
        raise OtherWorkerError(f"worker {name} {why}")
