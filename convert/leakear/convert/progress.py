"""Shows the progress of a long conversion on standard error."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

PULSE_S = 10.0
"""seconds between two progress lines of a stage"""


@contextmanager
def stage(title: str) -> Iterator[None]:
    """Print the start of a stage, its elapsed time every PULSE_S, and its duration at the end."""
    began, done = time.monotonic(), threading.Event()

    def pulse() -> None:
        while not done.wait(PULSE_S):
            tqdm.write(f"  {title}: {time.monotonic() - began:.0f} s", file=sys.stderr)  # above a progress bar
            sys.stderr.flush()

    print(f"{title} …", file=sys.stderr, flush=True)
    thread = threading.Thread(target=pulse, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    print(f"{title}: done in {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
