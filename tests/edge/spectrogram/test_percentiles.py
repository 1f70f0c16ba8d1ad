"""The quick percentile is numpy's."""

import numpy as np
import pytest

from leakear.edge.spectrogram.percentiles import percentile

RNG = np.random.default_rng(4)


@pytest.mark.parametrize("shape", [(1,), (2,), (80,), (1, 25), (16, 25), (180, 25), (244, 25)])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_it_is_numpys_percentile(shape: tuple[int, ...], kind: type[np.floating]) -> None:
    values = RNG.normal(-60, 10, shape).astype(kind)
    before = values.copy()
    for percent in (0, 5, 10, 25, 50, 95, 100):
        found, wanted = percentile(values, percent), np.percentile(values, percent, axis=0)
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
        assert np.shape(found) == np.shape(wanted)
        assert found.dtype == kind
    assert np.array_equal(values, before)
