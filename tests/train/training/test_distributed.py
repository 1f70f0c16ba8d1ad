"""Two worker processes, TensorFlow's own engine between them, give the loss curve of one."""

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

WORKER = """
import sys
from pathlib import Path
from tests.support.sounds import SMALL
from leakear.train import session
from leakear.train.data import dataset
from leakear.train.data.clips import Recipe
from leakear.train.training.distributed import join
from leakear.train.networks.preset import Preset
from leakear.train.data.split import split

def network(shape):
    import keras
    from keras import layers
    return keras.Sequential([
        keras.Input((*shape, 1)), layers.Conv2D(4, 5, strides=4, use_bias=False),
        layers.BatchNormalization(momentum=0.9, synchronized=True), layers.ReLU(6), layers.Flatten(), layers.Dense(1)])

preset = Preset("small", "", SMALL, network, (), copies=0, epochs=3, batch_size=8)
recordings, _ = dataset.fingerprint(dataset.load(Path(sys.argv[1]), site_pattern=r"(s\\d+)-"))
job = session.Job(preset, Recipe(SMALL), split(recordings))
run = session.run(job, Path(sys.argv[2]), join(), cache=Path(sys.argv[3]), jobs=1, quiet=True)
print("wrote" if run else "helped")
"""


def ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    found = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return found


def start(folder: Path, output: Path, cache: Path, config: str = "") -> subprocess.Popen[str]:
    environment = os.environ | {"TF_CONFIG": config, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WORKER, str(folder), str(output), str(cache)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def curve(output: Path) -> np.ndarray:
    with (output / "history.csv").open() as file:
        return np.array([[float(row["loss"]), float(row["val_loss"])] for row in csv.DictReader(file)])


@pytest.mark.slow
def test_two_workers_give_the_loss_curve_of_one(folder: Path, tmp_path: Path) -> None:
    alone = start(folder, tmp_path / "alone", tmp_path / "cache")
    said, _ = alone.communicate(timeout=200)
    assert (alone.returncode, said.split()[-1]) == (0, "wrote")
    workers = [f"127.0.0.1:{port}" for port in ports(2)]
    started = [
        start(folder, tmp_path / "together", tmp_path / "cache",
              json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}))
        for index in (0, 1)
    ]  # fmt: skip
    try:
        outputs = [process.communicate(timeout=200) for process in started]
    finally:
        for process in started:
            process.kill()
    assert [said.split()[-1] for said, _ in outputs] == ["wrote", "helped"]
    assert [process.returncode for process in started] == [0, 0]
    assert not any("crashed" in errors for _, errors in outputs), "a worker left before the others were done"
    expected = curve(tmp_path / "alone")
    assert expected.shape == (3, 2)
    assert expected[-1, 0] < 0.8 * expected[0, 0], "nothing was learnt"
    np.testing.assert_allclose(curve(tmp_path / "together"), expected, rtol=2e-3)
