"""Fixtures every test may use."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.disks import failing_card, tiny_disk
from tests.support.places import ROOT

__all__ = ["failing_card", "tiny_disk"]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings beside the project: LEAKEAR_DATA or ../shared/data."""
    path = Path(os.environ.get("LEAKEAR_DATA", ROOT.parent / "shared" / "data"))
    if not (path / "hk-noise-loggers").is_dir():
        pytest.skip("the real recordings are not here: set LEAKEAR_DATA to the folder of hk-noise-loggers/")
    return path


@pytest.fixture(scope="session")
def hk(shared_data: Path) -> Path:
    """Folder of the Hong Kong noise-logger recordings (60 files, manifest.csv)."""
    return shared_data / "hk-noise-loggers"


@pytest.fixture
def broker() -> Iterator[Any]:
    """A real mosquitto on a free loopback port; tests/support/broker.py has the options."""
    from tests.support.broker import Broker

    with Broker() as running:
        yield running


@pytest.fixture(autouse=True)
def log_of_a_new_process() -> None:
    """The log as a new process has it: a program that was tested in this one may have changed it."""
    logging.disable(logging.NOTSET)
    logging.getLogger().setLevel(logging.WARNING)
    for name, logger in logging.Logger.manager.loggerDict.items():
        if name.startswith("leakear") and isinstance(logger, logging.Logger):
            logger.disabled = False


@pytest.fixture(autouse=True)
def umask_of_a_new_process() -> Iterator[None]:
    """The file mode mask as it was: `run` and `replay` tighten that of the process they are tested in."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)
