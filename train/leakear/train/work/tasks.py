"""Runs tasks in processes of this machine or on the workers of a Dask scheduler: one function for both.

A task is a function of a module and one picklable argument. What it gives depends on that argument and on the files it
names, never on where it runs, so the results are the same bit for bit. Only a few tasks a worker are handed out at a
time: their number may be any.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from leakear.train.work.jobs import Jobs
from leakear.train.work.processes import processes

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4
"""Tasks handed out for each worker: one runs, the others wait beside it."""


def unordered(
    work: Callable[[T], R], tasks: Iterable[T], jobs: Jobs, *, files: Sequence[Path] = ()
) -> Iterator[tuple[int, R]]:
    """Yield (number of the task, its result) as they are done.

    `files`: files that must be the same wherever a task runs, and folders that must be shared (`cluster`). An error of
    a task ends the run at once. Raises what a task raises, and LeakearError where workers are lost or are others.
    """
    if jobs == 1:
        yield from enumerate(map(work, tasks))
        return
    with _executor(jobs, files) as (pool, workers):
        running: dict[Future[R], int] = {}
        for number, task in enumerate(tasks):
            running[pool.submit(work, task)] = number
            if len(running) >= AHEAD * workers():
                yield from _done(running)
        while running:
            yield from _done(running)


def ordered(work: Callable[[T], R], tasks: Iterable[T], jobs: Jobs, *, files: Sequence[Path] = ()) -> Iterator[R]:
    """Yield the results in the order of the tasks; otherwise as `unordered`."""
    early: dict[int, R] = {}
    following = 0
    for number, result in unordered(work, tasks, jobs, files=files):
        early[number] = result
        while following in early:
            yield early.pop(following)
            following += 1


def _executor(jobs: Jobs, files: Sequence[Path]) -> AbstractContextManager[tuple[Executor, Callable[[], int]]]:
    """Return an executor, and a function that tells how many workers it has now."""
    if isinstance(jobs, int):
        return _local(jobs)
    from leakear.train.work import cluster

    return cluster.executor(jobs, files)


@contextmanager
def _local(count: int) -> Iterator[tuple[Executor, Callable[[], int]]]:
    with processes(count) as pool:
        yield pool, lambda: count


def _done(running: dict[Future[R], int]) -> Iterator[tuple[int, R]]:
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        yield running.pop(future), future.result()
