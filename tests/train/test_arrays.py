"""Half a file of arrays, as a full disk or an interrupted copy leaves it, is named with its remedy or made again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leakear.edge.errors import InputDataError
from leakear.train.evaluation import kept_outcomes
from leakear.train.networks import factory
from leakear.train.runfolder import CALIBRATION, Run
from leakear.train.training import checkpoint


def whole(path: Path) -> bytes:
    arrays: dict[str, Any] = {"codes": np.arange(5000, dtype=np.uint8), "labels": np.zeros(9), "files": np.array(["a"])}
    np.savez_compressed(path, **arrays, state=np.array("{}"))
    return path.read_bytes()


def damages(data: bytes) -> list[bytes]:
    flipped = bytearray(data)
    for at in range(60, 600):
        flipped[at] ^= 0x5A
    return [b"", data[:20], data[: len(data) // 2], data[:-10], b"hello", b"\x93NUMPY", bytes(flipped)]


def test_each_reader_refuses_a_damaged_file_in_one_sentence(tmp_path: Path) -> None:
    run = Run(tmp_path, None)  # type: ignore[arg-type]
    for number, data in enumerate(damages(whole(tmp_path / CALIBRATION))):
        (tmp_path / CALIBRATION).write_bytes(data)
        with pytest.raises(InputDataError, match=r"calibration\.npz cannot be read") as found:
            run.examples()
        assert "pickle" not in str(found.value), number
        (tmp_path / checkpoint.FILE).write_bytes(data)
        with pytest.raises(InputDataError, match="--fresh"):
            checkpoint.restore(tmp_path, [], "x")
        with pytest.raises(InputDataError, match="--fresh"):
            checkpoint.read(tmp_path / checkpoint.FILE)
        assert kept_outcomes._load(tmp_path / CALIBRATION) is None


def test_a_damaged_file_of_the_factory_network_is_named(tmp_path: Path) -> None:
    (tmp_path / "factory.npz").write_bytes(b"")
    with pytest.raises(InputDataError, match=r"factory\.npz does not hold the factory network"):
        factory.load(tmp_path / "factory.npz")


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match="No such file"):
        Run(tmp_path, None).examples()  # type: ignore[arg-type]
