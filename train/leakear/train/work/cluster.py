"""Work on the workers of a Dask scheduler, each of which is checked before it does anything.

A worker must have the versions and the code of this process, see the same files, and have one thread. It is asked
before the first task, and each task asks again where it runs: a worker may join later.
"""

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Executor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from leakear.edge.errors import ConfigError, LeakearError
from leakear.train.work import identity
from leakear.train.work.identity import SHARED, Identity, OtherWorkerError
from leakear.train.work.jobs import Scheduler

T = TypeVar("T")
R = TypeVar("R")
log = logging.getLogger(__name__)

CONNECT_S = 20
"""Seconds in which a scheduler must answer."""


@dataclass(frozen=True)
class Checked(Generic[T, R]):
    """A task's function that first looks whether this worker is one that may do it."""

    work: Callable[[T], R]
    expected: Identity

    def __call__(self, task: T) -> R:
        """Do it. Raises OtherWorkerError."""
        from distributed import get_worker

        identity.require(self.expected, get_worker().address)
        return self.work(task)


class _CheckedExecutor(Executor):
    def __init__(self, pool: Executor, expected: Identity) -> None:
        self._pool = pool
        self._expected = expected

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return self._pool.submit(Checked(fn, self._expected), *args, **kwargs)


@contextmanager
def executor(scheduler: Scheduler, files: Sequence[Path] = ()) -> Iterator[tuple[Executor, Callable[[], int]]]:
    """Yield an executor of checked workers, and a function that tells how many there are.

    `files`: files that all must have alike, and folders that all must share. Raises ConfigError where `[cluster]` is
    not installed, LeakearError where the scheduler is not there or is lost, OtherWorkerError.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise ConfigError("--scheduler needs Dask, which is not here: pip install 'leakear[cluster]'") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is said in one sentence below
    with ExitStack() as stack:
        try:
            client = Client(scheduler.address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError):
            raise LeakearError(
                f"--scheduler {scheduler.address}: no Dask scheduler answers there: start `dask scheduler`, and "
                "`dask worker` with the address that it prints"
            ) from None
        stack.callback(_close, client)
        expected = identity.here([path.absolute() for path in _probed(files, stack)])
        try:
            _require_alike(client, scheduler, expected)
            pool = client.get_executor(pure=False)
            stack.callback(_shut, pool)
            yield _CheckedExecutor(pool, expected), lambda: max(1, len(client.nthreads()))
        except KilledWorker as error:
            raise LeakearError(
                f"several workers died over the same task ({error.last_worker.address}; often: no memory is left): "
                "run the same command again, it continues where this one stopped"
            ) from None
        except (CancelledError, OSError) as error:
            if isinstance(error, OSError) and client.status == "running":
                raise
            raise LeakearError(
                f"the Dask scheduler {scheduler.address} was lost: start it again and run the same command, it "
                "continues where this one stopped"
            ) from None


def _probed(files: Sequence[Path], stack: ExitStack) -> Iterator[Path]:
    """Yield the files; for each folder a new file in it, which is removed at the end."""
    for path in files:
        if not path.is_dir():
            yield path
            continue
        probe = path / f"{SHARED}{secrets.token_hex(8)}"
        probe.write_text(probe.name, encoding="ascii")
        stack.callback(probe.unlink, missing_ok=True)
        yield probe


def _require_alike(client: Any, scheduler: Scheduler, expected: Identity) -> None:
    """Ask every worker for its identity. Raises OtherWorkerError, or LeakearError where the scheduler is lost."""
    if not client.nthreads():
        log.info("%s has no worker yet: waiting for the first (Ctrl-C ends this)", scheduler.address)
        client.wait_for_workers(1)
    for address, threads in client.nthreads().items():
        if threads != 1:
            raise OtherWorkerError(
                f"worker {address} has {threads} threads: start it with --nthreads 1, and with --nworkers for more"
            )
    wanted = [path for path, _ in expected.files]
    answers: Mapping[str, Any] = client.run(identity.here, wanted, on_error="return")
    for address, answer in answers.items():
        if isinstance(answer, Exception):
            raise OtherWorkerError(
                f"worker {address} cannot load this leakear ({type(answer).__name__}: {answer}): install the same there"
            )
        if why := expected.difference(answer):
            raise OtherWorkerError(f"worker {address} {why}")


def _shut(pool: Any) -> None:
    with suppress(Exception):
        pool.shutdown(wait=False)


def _close(client: Any) -> None:
    with suppress(Exception):
        client.close(timeout=2)
