"""`leakear-edge run` on a machine whose clock is synchronised, whatever the test machine's is.

    python -m tests.support.synchronised_daemon CONFIG BOUND_S

BOUND_S: by how much chronyd says the clock may be wrong.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from leakear.edge.cli import run
from leakear.edge.clock import Clock
from leakear.edge.clock_bound import Bound


class Bounded:
    """What chronyd says, always the same."""

    def look(self) -> Bound:
        return Bound("chrony", float(sys.argv[2]))


if __name__ == "__main__":
    run.Clock = partial(Clock, kernel=lambda: True)  # type: ignore[misc,assignment]
    run.ClockBound = Bounded  # type: ignore[misc,assignment]
    sys.exit(run.main(argparse.Namespace(config=Path(sys.argv[1]))))
