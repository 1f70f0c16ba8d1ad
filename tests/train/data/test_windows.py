"""Windows in memory: of recordings with their changed copies, and simulated ones from the cache."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from leakear.edge.spectrogram import SpectrogramSpec
from leakear.train import simulator
from leakear.train.data import dataset, real_windows, simulated_windows
from leakear.train.data.clips import Recipe
from leakear.train.data.real_windows import RealWindows
from leakear.train.data.simulated_windows import Plan
from leakear.train.simulator import RATE
from tests.support.sounds import SMALL

SPEC = SpectrogramSpec("full-scale", RATE, 10.0, 4096, 2048, band_hz=(20.0, 1800.0))
PLAN = Plan(first_site=7, sites=2, per_site=4, mixed=1.0)


@pytest.fixture
def real(folder: Path, tmp_path: Path) -> RealWindows:
    found, _ = dataset.fingerprint(dataset.load(folder, site_pattern=r"(s\d+)-"))
    recipe = Recipe(SMALL, copies=2, augmentations=("shift", "shift+tilt"))
    return real_windows.read(found, recipe, tmp_path / "cache", jobs=1)


def test_rows_can_be_taken_with_or_without_changed_copies(real: RealWindows) -> None:
    assert len(real.windows) == 24 * 3 * 3
    files = np.array([2, 5])
    everything, originals = real.rows(files, copies=True), real.rows(files, copies=False)
    assert len(everything) == 3 * len(originals) == 18
    assert set(real.file[everything]) == {2, 5}
    assert set(real.copy[originals]) == {0}
    taken = real.take(originals)
    np.testing.assert_array_equal(taken.codes, real.windows.codes[originals])
    assert set(taken.targets) == set(real.targets[files])


def test_all_files_and_copies_of_a_site_have_its_number(real: RealWindows) -> None:
    assert len(set(real.windows.sites)) == 12
    for site in set(real.windows.sites):
        assert len({real.groups[file] for file in real.file[real.windows.sites == site]}) == 1


def test_a_files_score_is_the_mean_of_its_windows_or_nan(real: RealWindows) -> None:
    rows = real.rows(np.array([0, 3]), copies=False)
    scores = np.arange(len(rows), dtype=float)
    found = real.by_file(rows, scores)
    assert found[0] == scores[real.file[rows] == 0].mean()
    assert found[3] == scores[real.file[rows] == 3].mean()
    assert np.isnan(found[1])


def noise(folder: Path, seed: int) -> Path:
    import soundfile

    path = folder / "rain.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(seed).standard_normal(3 * RATE), RATE, "PCM_16")
    return path


def kept(cache: Path) -> list[Path]:
    return sorted(cache.glob("simulated-*.npy"))


def test_equal_plans_are_computed_once_and_half_are_leaks(tmp_path: Path) -> None:
    rain = noise(tmp_path, 1)
    first = simulated_windows.windows(PLAN, SPEC, [rain], tmp_path / "a", jobs=1)
    assert first.codes.shape == (8, *SPEC.shape)
    assert first.targets.tolist() == [0, 1] * 4
    assert first.sites.tolist() == [7] * 4 + [8] * 4
    assert len({codes.tobytes() for codes in first.codes}) == 8
    written = kept(tmp_path / "a")[0].stat().st_mtime_ns
    simulated_windows.windows(PLAN, SPEC, [rain], tmp_path / "a", jobs=1)
    assert [path.stat().st_mtime_ns for path in kept(tmp_path / "a")] == [written]
    again = simulated_windows.windows(PLAN, SPEC, [rain], tmp_path / "b", jobs=2)
    np.testing.assert_array_equal(again.codes, first.codes)


def test_a_change_of_plan_background_or_simulator_code_makes_new_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    monkeypatch.setattr(simulated_windows, "_write", lambda path, *_: (made.append(path), np.save(path, np.zeros(1))))
    rain = noise(tmp_path, 1)
    simulated_windows.windows(PLAN, SPEC, [rain], tmp_path)
    simulated_windows.windows(PLAN, SPEC, [rain], tmp_path)
    assert len(set(made)) == len(made) == 1
    simulated_windows.windows(Plan(first_site=8, sites=2, per_site=4, mixed=1.0), SPEC, [rain], tmp_path)
    noise(tmp_path, 2)
    simulated_windows.windows(PLAN, SPEC, [rain], tmp_path)
    changed = tmp_path / "simulator"
    changed.mkdir()
    for file in Path(simulator.__file__).parent.glob("*.py"):
        text = file.read_text().replace("0.06", "0.07") if file.name == "day.py" else file.read_text()
        (changed / file.name).write_text(text)
    monkeypatch.setattr(simulator, "__file__", str(changed / "__init__.py"))
    simulated_windows.windows(PLAN, SPEC, [rain], tmp_path)
    assert len(set(made)) == len(made) == 4


def test_background_is_quieter_than_a_leak_and_may_be_louder_than_other_windows(tmp_path: Path) -> None:
    rain = noise(tmp_path, 1)
    quiet = np.full(10 * RATE, 0.001, np.float32) * np.random.default_rng(0).standard_normal(10 * RATE)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        over_leak = simulated_windows._mix(quiet.astype(np.float32), (rain,), rng, SPEC, leak=True)
        assert over_leak.std() <= 1.45 * quiet.std(), "background is never louder than the leak's own window"
    loudest = max(
        simulated_windows._mix(quiet.astype(np.float32), (rain,), np.random.default_rng(seed), SPEC, leak=False).std()
        for seed in range(8)
    )
    assert loudest > 5 * quiet.std()


def test_a_killed_simulation_leaves_no_worker_process(tmp_path: Path) -> None:
    words = ["simulate", str(tmp_path / "out"), "--sites", "200", "--clips", "40", "--jobs", "2"]
    process = subprocess.Popen([sys.executable, "-c", f"from leakear.train.cli import main; main({words})"])
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        wait_until(lambda: len(list((tmp_path / "out").glob("*/*.wav"))) >= 2)
        helpers = [Path("/proc") / pid for pid in children.read_text().split()]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(helpers) >= 2
    wait_until(lambda: not any(alive(helper) for helper in helpers))


def alive(process: Path) -> bool:
    """Whether it runs: an orphan that nobody has reaped yet does not."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"not within 60 s, load {os.getloadavg()[0]:.1f}"
        time.sleep(0.1)
