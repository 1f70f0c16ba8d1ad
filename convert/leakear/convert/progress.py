"""What a long conversion is doing, on standard error."""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hushed() -> Iterator[None]:
    """Hold back what C++ libraries write to standard error while they are loaded; told after all where that fails."""
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


PULSE_S = 10.0
"""seconds between signs of life of a stage"""


@contextmanager
def stage(title: str) -> Iterator[None]:
    """Say what begins, every ten seconds that it goes on, and how long it took."""
    began, done = time.monotonic(), threading.Event()

    def pulse() -> None:
        while not done.wait(PULSE_S):
            print(f"  {title}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

    print(f"{title} …", file=sys.stderr, flush=True)
    thread = threading.Thread(target=pulse, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    print(f"{title}: done in {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
