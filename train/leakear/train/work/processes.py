"""A pool of worker processes for long computations, which end when their parent process is killed."""

import os
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread

from leakear.edge.errors import LeakearError


@contextmanager
def processes(count: int) -> Iterator[Executor]:
    """Yield a pool of `count` processes. Raises LeakearError when one of them was killed.

    They are spawned: a forked copy of a process in which TensorFlow has started threads hangs.
    """
    try:
        with ProcessPoolExecutor(count, get_context("spawn"), _die_with_parent) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    except BrokenExecutor:
        raise LeakearError(
            "a worker process was killed (often: no memory is left); run the same command again, with fewer --jobs: "
            "it continues where this one stopped"
        ) from None


def _die_with_parent() -> None:
    """End this worker when its parent was killed: otherwise it would wait for work for ever."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()
