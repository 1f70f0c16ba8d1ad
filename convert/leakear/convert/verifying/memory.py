"""Checks before a conversion whether the free memory is enough for it."""

import resource
from pathlib import Path
from typing import Any

from leakear.convert.quantising.quantise import MODES
from leakear.edge.errors import LeakearError

PEAK = {"int8": 20.8, "int8-io": 20.8, "int16x8": 18.0, "dynamic": 18.0, "float16": 17.9, "float32": 17.9}
"""most memory that TensorFlow holds while it converts, in multiples of the float32 weights: measured on the reference
network of 866 MB, bench/conversion.py"""
BASE_GIB = 1.0
"""Python, TensorFlow and the windows"""
GIB = 2**30
STATUS = Path("/proc/meminfo")
GROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)
"""limit and use of a container, cgroup v2 and v1"""


def needed(network: Any, mode: str) -> float:
    """Return the peak of a conversion, GiB."""
    return BASE_GIB + PEAK[mode] * 4 * float(network.count_params()) / GIB


def check(network: Any, mode: str) -> None:
    """Raise LeakearError when the conversion needs more memory than is free; do nothing when that is unknown."""
    free = available()
    if free is None:
        return
    wanted, held = needed(network, mode), resident()
    if wanted > free + held:
        fitting = [name for name in MODES if needed(network, name) <= free + held]
        instead = f"or try --mode {' or '.join(fitting)}, " if fitting else ""
        raise LeakearError(
            f"converting {network.count_params():,} parameters in {mode} takes about {wanted:.1f} GiB of memory, "
            f"{free + held:.1f} GiB can be had: close other programs, {instead}or use a larger machine "
            "(--no-memory-check tries all the same)"
        )


def available() -> float | None:
    """Return the memory that is still free, GiB: of the machine with swap, or less in a container; None: unknown."""
    try:
        rows = dict(line.split(":", 1) for line in STATUS.read_text(encoding="ascii").splitlines())
        free = sum(int(rows[key].split()[0]) for key in ("MemAvailable", "SwapFree")) * 1024
    except (OSError, KeyError, ValueError):
        return None
    return max(0.0, min([free, *_container()]) / GIB)


def _container() -> list[int]:
    """Return the free memory under each container limit, bytes; empty when there is no limit."""
    left = []
    for limit, used in GROUPS:
        try:
            left.append(int(limit.read_text(encoding="ascii")) - int(used.read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return left


def resident() -> float:
    """Return the resident memory of this process, GiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / GIB
