"""Freed memory goes back to the system: large buffers at once, the pages between others when asked."""

import platform
import subprocess
import sys

import pytest

CODE = """
import os
from leakear.edge.node.allocator import LARGE_BYTES, return_large_buffers
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
def holes():
    kept = []
    for _ in range(20):
        large = bytearray(4 * LARGE_BYTES)
        kept.append(bytearray(60_000))
        del large
        large = bytearray(7 * LARGE_BYTES)
        kept.append(bytearray(60_000))
    return resident()
assert return_large_buffers()
before = resident()
print(holes() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps them")
def test_freed_clips_leave_no_holes() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 12 << 20  # the last large one lives, and 2.4 MB of small ones


SMALL = """
import os
from leakear.edge.node.allocator import return_freed_memory
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
freed = [bytearray(60_000) for _ in range(300)]
kept = [freed[n] for n in range(0, 300, 100)] + [bytearray(60_000)]
before = resident()
del freed
print(before - resident(), return_freed_memory(), before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps it")
def test_freed_pages_between_kept_ones_go_back() -> None:
    done = subprocess.run([sys.executable, "-c", SMALL], capture_output=True, text=True, check=True)
    alone, asked, returned = done.stdout.split()
    assert asked == "True"
    assert int(alone) < 2 << 20 < 14 << 20 < int(returned)
