"""Helper processes of a long computation: started afresh, and gone when whoever started them was killed."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread


def processes(count: int) -> ProcessPoolExecutor:
    """Return a pool of `count` processes.

    They are spawned: a forked copy of a process that has started TensorFlow's threads hangs.
    """
    return ProcessPoolExecutor(count, get_context("spawn"), _die_with_parent)


def _die_with_parent() -> None:
    """End this helper when the process that started it was killed: it would wait for work for ever."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()
