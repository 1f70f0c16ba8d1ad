"""A small converted network, and the runtimes it must work on."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["SOURCE_DATE_EPOCH"] = "1795305600"

from leakear.convert import cli
from leakear.convert.verifying import runtimes
from tests.support.small_network import network, write_run


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder as leakear-train leaves it."""
    return write_run(tmp_path_factory.mktemp("run"), network())


@pytest.fixture(scope="session")
def converted(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its int8 model file, made by the command."""
    file = tmp_path_factory.mktemp("converted") / "small.tflite"
    assert cli.main([str(run_folder), "-o", str(file), "--calibration-windows", "60"]) == 0
    return file


@pytest.fixture(params=["newest", "oldest", "legacy"])
def runtime(request: pytest.FixtureRequest) -> runtimes.Runtime:
    """Each promised runtime, in the Python that holds it."""
    found = next(item for item in runtimes.known() if item.role == request.param)
    if not found.present:
        pytest.skip(found.absent_reason)
    return found


@pytest.fixture
def legacy_runtime() -> runtimes.Runtime:
    found = next(item for item in runtimes.known() if item.role == "legacy")
    if not found.present:
        pytest.skip(found.absent_reason)
    return found
