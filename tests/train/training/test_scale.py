"""Ten thousand clips through the real command: memory stays bounded, a second run reads the cache."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leakear.train import runfolder

CLIPS, SITES = 10_000, 200
RATE = 4096
LIMIT_GIB = 3.0


def clips(folder: Path) -> None:
    """Write 10 s noise-logger clips: coloured noise, louder where it leaks."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(60 * RATE).cumsum()
    noise = (noise - np.linspace(noise[0], noise[-1], len(noise))) / 500
    hiss = rng.standard_normal(60 * RATE) / 20
    for number in range(CLIPS):
        site, leak = number % SITES, number % SITES % 2
        at = int(rng.integers(50 * RATE))
        samples = 0.2 * noise[at : at + 10 * RATE] + (0.5 if leak else 0.05) * hiss[at : at + 10 * RATE]
        path = folder / ("Leak" if leak else "NoLeak") / f"s{site:03}-{number:05}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.clip(samples, -1, 1), RATE, "PCM_16")


def fit(folder: Path, output: Path, cache: Path) -> tuple[float, float]:
    """Run `leakear-train fit` and return (largest resident memory of it and its helpers in GiB, seconds)."""
    words = [
        "fit",
        folder,
        "-o",
        output,
        "--cache",
        cache,
        "--copies",
        0,
        "--epochs",
        1,
        "--simulated",
        0,
        "--site-pattern",
        r"(s\d+)-",
    ]
    code = "import sys; from leakear.train.cli import main; sys.exit(main())"
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, words)])
    largest = 0
    while process.poll() is None:
        largest = max(largest, family_kib(process.pid))
        time.sleep(0.5)
    assert process.returncode == 0
    return largest / (1 << 20), time.monotonic() - started


def family_kib(pid: int) -> int:
    """Resident KiB of a process and its descendants."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        own = sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
        tasks = Path(f"/proc/{pid}/task").iterdir()
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it has just ended
        return 0
    return own + sum(family_kib(int(child)) for child in children)


@pytest.mark.slow
def test_ten_thousand_clips_stay_within_three_gib(tmp_path: Path) -> None:
    clips(tmp_path / "clips")
    gib, first = fit(tmp_path / "clips", tmp_path / "run", tmp_path / "cache")
    windows = runfolder.load_run(tmp_path / "run").info.data["windows"]
    assert sum(count for side in windows.values() for count in side.values()) == CLIPS
    print(f"first run {first:.0f} s, at most {gib:.2f} GiB")
    assert gib < LIMIT_GIB
    written = max(path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*"))
    gib, second = fit(tmp_path / "clips", tmp_path / "again", tmp_path / "cache")
    print(f"second run {second:.0f} s, at most {gib:.2f} GiB")
    assert gib < LIMIT_GIB
    assert max(path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*")) == written, "computed again"
