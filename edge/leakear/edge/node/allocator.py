"""Makes glibc return freed memory: large buffers at once (a clip: 7 MB), the freed pages between others when asked."""

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


def return_freed_memory() -> bool:
    """Return the freed pages that the heap still holds (4 to 8 MB after an alert). False: none, or not glibc."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (OSError, AttributeError):
        return False
