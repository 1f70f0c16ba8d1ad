"""The reference notebook's network in int8, with random weights: what the node is compared with.

    python -m bench.reference_model         # 2 minutes and 16 GiB of memory, once

Speed and size do not depend on what the weights are. Kept outside the project, in LEAKEAR_CACHE or ~/.cache/leakear.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leakear.edge.spec import SpectrogramSpec

FILE = Path(os.environ.get("LEAKEAR_CACHE", Path.home() / ".cache" / "leakear")) / "bench" / "reference-int8.tflite"


def reference_file() -> Path:
    """Path of the converted network; converts it when it is not there."""
    if not FILE.exists():
        from leakear.convert.quantising.quantise import quantise
        from leakear.train.networks.reference import reference

        FILE.parent.mkdir(parents=True, exist_ok=True)
        flatbuffer = quantise(reference(SpectrogramSpec().shape), "int8", _calibration())
        partial = FILE.with_suffix(".part")
        partial.write_bytes(flatbuffer)
        partial.replace(FILE)
    return FILE


def _calibration() -> Iterator[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    for k in range(8):
        yield (rng.random(SpectrogramSpec().shape) * 255 * (k + 1) / 8).astype(np.uint8)


if __name__ == "__main__":
    print(reference_file())
