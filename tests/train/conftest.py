from pathlib import Path

import pytest

from leakear.train.data.dataset import Recording
from tests.support.sounds import make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Class folders with 24 recordings of three windows at 12 sites, 6 sites with a leak and 6 without."""
    make(tmp_path / "recordings")
    return tmp_path / "recordings"


@pytest.fixture
def recordings(tmp_path: Path) -> list[Recording]:
    """The same, read."""
    return make(tmp_path / "recordings")
