"""Hides messages that C++ libraries write to standard error."""

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silenced() -> Iterator[None]:
    """Hold back everything written to standard error inside the block; write it after all when the block fails."""
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        ours = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(ours, held.read())
            raise
        finally:
            os.dup2(ours, 2)
            os.close(ours)


@contextmanager
def without_lines(prefix: bytes) -> Iterator[None]:
    """Drop the lines on standard error that begin with `prefix`; all others are written at once."""
    sys.stderr.flush()
    ours = os.dup(2)
    source, sink = os.pipe()
    os.dup2(sink, 2)
    os.close(sink)

    def copy() -> None:
        with os.fdopen(source, "rb") as lines:
            for line in lines:
                if not line.startswith(prefix):
                    os.write(ours, line)

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(ours, 2)
        thread.join()
        os.close(ours)
