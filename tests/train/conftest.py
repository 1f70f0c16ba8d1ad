import dataclasses
from pathlib import Path

import pytest
from sounds import record

from leakear.train import dataset
from leakear.train.dataset import Recording


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Class folders with 24 recordings of three windows at 12 sites, 6 sites with a leak and 6 without."""
    for site in range(12):
        kind = "Leak-Metal" if site % 2 else "NoLeak-Metal"
        for take in range(2):
            path = tmp_path / "recordings" / kind / f"s{site:02}-{take}.wav"
            record(path, leak=bool(site % 2), seconds=3, seed=site * 10 + take)
    return tmp_path / "recordings"


@pytest.fixture
def recordings(folder: Path) -> list[Recording]:
    found, bad = dataset.fingerprint(dataset.load(folder, site_pattern=r"(s\d+)-"))
    assert not bad
    return [dataclasses.replace(r, fold=int(str(r.site)[1:]) // 2 % 3) for r in found]
