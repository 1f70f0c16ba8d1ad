"""A pool of worker processes for long computations, which end when their parent process is killed."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread


def processes(count: int) -> ProcessPoolExecutor:
    """Return a pool of `count` processes.

    They are spawned: a forked copy of a process in which TensorFlow has started threads hangs.
    """
    return ProcessPoolExecutor(count, get_context("spawn"), _die_with_parent)


def _die_with_parent() -> None:
    """End this worker when its parent was killed: otherwise it would wait for work for ever."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()
