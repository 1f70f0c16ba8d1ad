"""Makes glibc return large freed buffers to the system, so that they do not fragment the heap (a clip: 7 MB)."""

import ctypes

_M_MMAP_THRESHOLD = -3
"""mallopt(3); setting it also stops glibc from raising it by itself"""
LARGE_BYTES = 1 << 20
"""Buffers of this size and larger are returned at once; the temporaries of a window are smaller."""


def return_large_buffers() -> bool:
    """Set the size from which freed memory is returned at once. False: the C library is not glibc."""
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES))
    except (OSError, AttributeError):
        return False
