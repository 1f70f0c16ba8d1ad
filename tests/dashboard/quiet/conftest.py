"""Fixtures of the tests of quiet times and mutes."""

from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.quiet.place import Place


@pytest.fixture
def place(engine: Any, tmp_path: Path) -> Place:
    """A dashboard without its broker, on each of the two engines."""
    return Place(engine, tmp_path)
