"""Checks of what a node needs: model, disk, clock. `leakear-edge check` and the command `selftest` share them.

What ends by itself (a full disk that the daemon empties, a clock that is not synchronised yet) is a warning, never a
fault.
"""

import errno
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leakear.edge import files
from leakear.edge.errors import LeakearError
from leakear.edge.model.tflite import Model

OK, WARNING, FAULT = "ok", "warning", "fault"
LOW_DISK_MB = 200
"""Less free space than this, in 10⁶ bytes, endangers outbox and evidence."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    name: str
    status: str
    """ok, warning or fault"""
    detail: str
    """what was seen"""
    remedy: str = ""
    """what to do about it"""


def model(load: Callable[[], Model]) -> tuple[Finding, Model | None]:
    """Load the model: hash, signature, runtime and golden vector. None: it could not be loaded."""
    try:
        loaded = load()
    except LeakearError as error:
        return Finding("model", FAULT, str(error), "name another file in [model] path"), None
    return Finding("model", OK, f"{loaded.info.model_id} computes its golden vector"), loaded


def clock(synced: bool) -> Finding:
    """Tell whether events carry the right time."""
    if synced:
        return Finding("clock", OK, "synchronised")
    remedy = "events are ordered by seq and marked clock_synced: false until time synchronisation works"
    return Finding("clock", WARNING, "not synchronised", remedy)


def space(directory: Path) -> Finding:
    """Tell whether the disk of the state folder has room."""
    try:
        existing = next(path for path in (directory, *directory.absolute().parents) if path.exists())
        free_mb = shutil.disk_usage(existing).free / 1e6
    except OSError as error:
        return Finding("disk", FAULT, f"{directory}: {error.strerror}", "set [node] state_dir to another folder")
    if free_mb < LOW_DISK_MB:
        return Finding("disk", WARNING, f"{free_mb:.0f} MB free at {existing}", "evidence is deleted first; make room")
    return Finding("disk", OK, f"{free_mb / 1e3:.1f} GB free at {existing}")


def rights(directory: Path) -> Finding:
    """Tell whether this process may write into the state folder."""
    error = files.refusal(directory)
    if error is None or error.errno == errno.ENOSPC:
        return Finding("permissions", OK, f"{directory} can be written")
    detail = f"{directory} cannot be written: {error.strerror}"
    return Finding("permissions", FAULT, detail, "set [node] state_dir, or its owner")
