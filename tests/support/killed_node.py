"""A paced node, a hundred times as fast as life, that kills itself (-9) at the n-th write about its models.

    python killed_node.py N before|after PORT STATE_FOLDER [SECTIONS as JSON]

Writes are those of the ledger and of the model files; N = 0: it lives. Each write is counted in one line on standard
output, so that a test knows how many there are.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from leakear.edge.model import bundle
from leakear.edge.remote import ledger
from tests.support import paced_node

MARK = "write"


def killing(real: Callable[..., Any], fatal: int, when: str, done: list[str]) -> Callable[..., Any]:
    """Return a function that writes as `real` does, and kills this process before or after the fatal write."""

    def write(*arguments: Any) -> None:
        done.append(real.__module__)
        last = len(done) == fatal
        if last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        real(*arguments)
        print(MARK, len(done), done[-1], flush=True)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)

    return write


def main() -> None:
    """Run until SIGTERM, or the fatal write."""
    fatal, when = int(sys.argv.pop(1)), sys.argv.pop(1)
    done: list[str] = []
    ledger.write = killing(ledger.write, fatal, when, done)
    bundle.write = killing(bundle.write, fatal, when, done)
    paced_node.SPEED = 100
    paced_node.main()


if __name__ == "__main__":
    main()
