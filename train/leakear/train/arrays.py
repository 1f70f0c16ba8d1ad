"""Saved arrays: what reading one raises when a full disk or an interrupted copy left half of it."""

import zipfile
import zlib

DAMAGED = (OSError, EOFError, LookupError, TypeError, ValueError, zipfile.BadZipFile, zlib.error)
"""Raised by `numpy.load`, and by what it returns, for a file that is missing, cut off, damaged, or of another kind."""


def reason(error: Exception) -> str:
    """Say in a few words why an archive could not be read; NumPy takes any other file for a pickled one."""
    if isinstance(error, (EOFError, zipfile.BadZipFile, zlib.error)):
        return "it is cut off or damaged"
    if isinstance(error, ValueError) and "pickle" in str(error):
        return "it is no NumPy archive"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
