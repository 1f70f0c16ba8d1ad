"""The one Fourier transform of the node: scipy's pocketfft in float32, without what `import scipy.fft` drags in.

numpy's own transform is six times slower, and `import scipy.fft` also imports half of numpy and scipy.special: 26 MB of
memory and a third of the start. The compiled module alone is loaded from scipy's folder; where a scipy keeps it
elsewhere, the public package is used, at that price. `tests/edge/test_fourier.py` holds the two equal.
"""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray


def _pocketfft() -> ModuleType | None:
    """Load scipy's compiled transform alone; None where it is not found."""
    scipy = importlib.util.find_spec("scipy")
    folder = Path(scipy.origin or "").parent / "fft" / "_pocketfft" if scipy else Path()
    for path in folder.glob("pypocketfft*.so"):
        spec = importlib.util.spec_from_file_location("pypocketfft", path)
        if spec is None or spec.loader is None:
            continue
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except ImportError:
            continue
        if hasattr(module, "r2c") and hasattr(module, "prev_good_size"):
            return module
    return None


_COMPILED = _pocketfft()


def rfft(x: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Transform the last axis of real float32, shape (…, n) → (…, n // 2 + 1)."""
    if _COMPILED is None:
        import scipy.fft

        return cast("NDArray[np.complex64]", scipy.fft.rfft(x, axis=-1))
    return cast("NDArray[np.complex64]", _COMPILED.r2c(x, (x.ndim - 1,), True, 0, None, 1))


def prev_fast_len(n: int) -> int:
    """Largest length up to n that a real transform is fast for."""
    fast: Any
    if _COMPILED is None:
        import scipy.fft

        fast = scipy.fft.prev_fast_len(n, real=True)
    else:
        fast = _COMPILED.prev_good_size(n, True)
    return int(fast)
