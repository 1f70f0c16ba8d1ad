"""The one Fourier transform of the node: scipy's compiled one in float32, without what `import scipy.fft` drags in.

numpy's own transform costs 15 % more time, and `import scipy.fft` also imports scipy.special and more: 20 MB of memory
and a third of the start. So the compiled module alone is loaded from scipy's folder. scipy up to 1.17 keeps it in
`fft/_pocketfft`, from 1.18 on in `fft/_duccfft`; both have the same two functions. Where a scipy has neither, the
public package is used, and the log says so once. `tests/edge/spectrogram/test_fourier.py` holds all of them equal.
"""

import importlib.util
import logging
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

LAYOUTS = (("_duccfft", "pyduccfft"), ("_pocketfft", "pypocketfft"))
"""Folder below scipy/fft and name of the compiled module, newest first."""


def compiled_transform(scipy_folder: Path) -> ModuleType | None:
    """Load scipy's compiled transform alone; None, with a line in the log, where it is not found."""
    for folder, name in LAYOUTS:
        for path in (scipy_folder / "fft" / folder).glob(f"{name}*.so"):
            module = _loaded(path, name)
            if module is not None:
                return module
    log.info("%s holds no compiled transform that is known: scipy.fft is imported, 20 MB more memory", scipy_folder)
    return None


def _loaded(path: Path, name: str) -> ModuleType | None:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ImportError:
        return None
    return module if hasattr(module, "r2c") and hasattr(module, "prev_good_size") else None


def _scipy_folder() -> Path:
    """Find scipy without importing it."""
    found = importlib.util.find_spec("scipy")
    return Path(found.origin or "").parent if found else Path()


_COMPILED = compiled_transform(_scipy_folder())


def rfft(x: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Transform the last axis of real float32, shape (…, n) → (…, n // 2 + 1)."""
    if _COMPILED is None:
        import scipy.fft

        return cast("NDArray[np.complex64]", scipy.fft.rfft(x, axis=-1))
    return cast("NDArray[np.complex64]", _COMPILED.r2c(x, (x.ndim - 1,), True, 0, None, 1))


def squared(spectrum: NDArray[np.complex64], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Return |X|², shape (…, n), in `out` where it is given.

    The parts are squared side by side, as they lie in memory: half the time of `real * real + imag * imag`.
    """
    squares = np.square(spectrum.view(np.float32))
    return np.add(squares[..., ::2], squares[..., 1::2], out=out)


def prev_fast_len(n: int) -> int:
    """Return the largest length up to n for which a real transform is fast."""
    fast: Any
    if _COMPILED is None:
        import scipy.fft

        fast = scipy.fft.prev_fast_len(n, real=True)
    else:
        fast = _COMPILED.prev_good_size(n, True)
    return int(fast)
