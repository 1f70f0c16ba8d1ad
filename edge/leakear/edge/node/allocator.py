"""Keep glibc from holding on to large buffers: a clip's seven megabytes, freed, would stay in the heap as holes."""

import ctypes

_M_MMAP_THRESHOLD = -3
"""mallopt(3); setting it also stops glibc from raising it by itself"""
LARGE_BYTES = 1 << 20
"""Buffers from this size on go straight back to the system; a window's own temporaries are smaller."""


def return_large_buffers() -> bool:
    """Fix the size from which freed memory is given back at once; False where the C library is another one."""
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES))
    except (OSError, AttributeError):
        return False
