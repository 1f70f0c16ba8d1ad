"""Checks of what a node needs: each finding has the status and the remedy of its case."""

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from leakear.edge import files
from leakear.edge.errors import ModelError
from leakear.edge.model.tflite import Model
from leakear.edge.node import checks
from leakear.edge.node.checks import FAULT, LOW_DISK_MB, OK, WARNING


def test_a_model_that_loads_is_ok() -> None:
    loaded = cast("Model", SimpleNamespace(info=SimpleNamespace(model_id="m1")))
    finding, model = checks.model(lambda: loaded)
    assert (finding.name, finding.status, finding.remedy) == ("model", OK, "")
    assert "m1" in finding.detail
    assert model is loaded


def test_a_model_that_cannot_be_loaded_is_a_fault_with_a_remedy() -> None:
    def load() -> Model:
        raise ModelError("the hash differs")

    finding, model = checks.model(load)
    assert (finding.name, finding.status, finding.detail) == ("model", FAULT, "the hash differs")
    assert "[model] path" in finding.remedy
    assert model is None


def test_a_clock_that_is_not_synchronised_is_a_warning() -> None:
    assert (checks.clock(True).status, checks.clock(True).remedy) == (OK, "")
    assert checks.clock(False).status == WARNING
    assert "clock_synced: false" in checks.clock(False).remedy


@pytest.mark.parametrize(("free_mb", "status"), [(LOW_DISK_MB - 1, WARNING), (LOW_DISK_MB, OK)])
def test_a_disk_with_little_room_is_a_warning(
    free_mb: float, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free_mb * 1e6))
    assert checks.space(tmp_path).status == status


def test_the_room_of_a_missing_folder_is_that_of_its_nearest_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(path) or SimpleNamespace(free=3.2e9))
    finding = checks.space(tmp_path / "not" / "there")
    assert asked == [tmp_path]
    assert finding.detail == f"3.2 GB free at {tmp_path}"


def test_a_disk_that_cannot_be_read_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(shutil, "disk_usage", fail)
    finding = checks.space(tmp_path)
    assert (finding.status, finding.detail) == (FAULT, f"{tmp_path}: Input/output error")
    assert "state_dir" in finding.remedy


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, OK),
        (OSError(errno.ENOSPC, "No space left on device"), OK),
        (OSError(errno.EACCES, "Permission denied"), FAULT),
    ],
)
def test_only_a_refusal_that_is_no_full_disk_is_a_fault_of_permissions(
    error: OSError | None, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "refusal", lambda _: error)
    finding = checks.rights(tmp_path)
    assert (finding.name, finding.status) == ("permissions", status)
    assert ("Permission denied" in finding.detail) == (status == FAULT)
    assert bool(finding.remedy) == (status == FAULT)


def test_a_folder_of_this_process_can_be_written(tmp_path: Path) -> None:
    assert checks.rights(tmp_path).status == OK
    assert list(tmp_path.iterdir()) == []
