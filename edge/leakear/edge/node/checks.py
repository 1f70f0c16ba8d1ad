"""Checks of what a node needs, shared by `leakear-edge check` and the self-test over MQTT.

What heals by itself (a full disk that the daemon empties, a clock that is not synchronised yet) is a warning, never a
fault: a check before the start must not block its own remedy.
"""

import errno
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from leakear.edge import files
from leakear.edge.errors import LeakearError
from leakear.edge.model.tflite import Model

OK, WARNING, FAULT = "ok", "warning", "fault"
LOW_DISK_BYTES = 200_000_000
"""Less free space than this endangers evidence, then the outbox."""


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
    """Load a model: hash, signature, runtime and golden vector are checked."""
    try:
        loaded = load()
    except LeakearError as error:
        return Finding("model", FAULT, str(error), "name another file in [model] path"), None
    return Finding("model", OK, f"{loaded.info.model_id} computes its golden vector"), loaded


def disk(directory: Path) -> Iterator[Finding]:
    """Check free space and rights where the node writes; the folder itself may not exist yet."""
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    try:
        free = shutil.disk_usage(existing).free
    except OSError as error:
        yield Finding("disk", FAULT, f"{existing}: {error.strerror}", "repair or replace the disk")
        return
    if free < LOW_DISK_BYTES:
        detail = f"{free / 1e6:.0f} MB free at {existing}"
        yield Finding("disk", WARNING, detail, "evidence is deleted first; delete other files")
    else:
        yield Finding("disk", OK, f"{free / 1e9:.1f} GB free at {existing}")
    refused = files.refusal(directory)
    if refused is None or refused.errno == errno.ENOSPC:
        yield Finding("permissions", OK, f"{directory} can be written")
    else:
        detail = f"{directory} cannot be written: {refused.strerror}"
        yield Finding("permissions", FAULT, detail, "set [node] state_dir, or its owner")


def clock(*, synced: bool) -> Finding:
    """Tell whether events carry the right time."""
    if synced:
        return Finding("clock", OK, "synchronised")
    remedy = "events are ordered by seq and marked clock_synced: false until time synchronisation works"
    return Finding("clock", WARNING, "not synchronised", remedy)
