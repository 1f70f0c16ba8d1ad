"""The budget table of the design, measured here and now.

    make bench        (or: python -m bench.budgets [ROUNDS])

Every line of computation is a ratio of medians in one run on one machine, one thread on both sides; the ends in
brackets are the 10th and 90th percentile over the rounds.
"""

import os
import sys

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import platform  # noqa: E402
from datetime import UTC, datetime  # noqa: E402

from bench import compute, daemon  # noqa: E402
from leakear.edge.cli.bench import cpu_name  # noqa: E402
from leakear.edge.model.tflite import FACTORY, Model  # noqa: E402


def main() -> int:
    """Print the table; 1 when a budget is missed."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    model = Model.load(FACTORY)
    load = os.getloadavg()[0]
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()} {cpu_name()}, {os.cpu_count()} cores, load {load:.1f},")
    print(f"Python {platform.python_version()}, default model {model.info.model_id}, {rounds} rounds\n")
    print("| what | budget | measured | |\n|---|---|---|---|")
    missed = 0
    for source in (compute.rows(rounds), daemon.rows()):
        for what, budget, measured, met in source:
            print(f"| {what} | {budget} | {measured} | {'met' if met else '**missed**'} |", flush=True)
            missed += not met
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
