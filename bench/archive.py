"""`leakear-train score`: throughput against the seed's way, memory over the run, one worker against two.

    python -m bench.archive 20000                     one process: recordings a second and resident memory
    python -m bench.archive 2000 --workers            the same on one and on two workers of a real scheduler, in turns
    python -m bench.archive 200 --reference           and librosa with the reference network in int8, in turns (16 GiB)

The recordings, 10 s of simulated sound each, are made in FOLDER (--folder; default: a temporary one).
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from leakear.train.simulator import RATE, Site, clip
from tests.support.dask_cluster import dask_cluster

SOUNDS = 16
"""Sounds of the simulator; each recording is one of them, from another moment on and at another level."""
TURNS = 2


def make(folder: Path, count: int) -> Path:
    """Write the recordings that are not there: site-S/DATE/NUMBER.wav."""
    sounds = [clip(Site.draw(number), "Leak" if number % 2 else "NoLeak", number, 10.0) for number in range(SOUNDS)]
    for number in range(count):
        date = f"2026-{1 + number // 50 % 12:02}-{1 + number // 600 % 28:02}"
        path = folder / f"site-{number % 50:03}" / date / f"{number:06}.wav"
        if not path.is_file():
            rng = np.random.default_rng(number)
            sound = np.roll(sounds[number % SOUNDS], int(rng.integers(RATE * 10))) * rng.uniform(0.5, 1)
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, sound.astype(np.float32), RATE, "PCM_16")
    return folder


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def score(archive: Path, out: Path, *words: str) -> tuple[float, list[float]]:
    """Score an archive in a process of its own; return the seconds, and its memory each second."""
    command = [sys.executable, "-m", "leakear.train.cli", "score", str(archive), "--out", str(out), *words]
    began, memory = time.perf_counter(), []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            time.sleep(0.25)
            if process.poll() is None:
                memory.append(resident_mib(process.pid))
    if process.returncode:
        raise SystemExit(f"score ended with {process.returncode}")
    return time.perf_counter() - began, memory


def workers(archive: Path, count: int, scratch: Path) -> None:
    """Print how much faster two workers are than one, in turns."""
    ratios = []
    for turn in range(TURNS):
        seconds = []
        for number in (1, 2):
            folder = scratch / f"turn-{turn}-{number}"
            folder.mkdir()
            with dask_cluster(folder, number) as cluster:
                words = ("--scheduler", cluster.address, "--shard", "50")
                seconds.append(score(archive, folder / "out", *words)[0])
        ratios.append(seconds[0] / seconds[1])
        rates = ", ".join(f"{count / took:.1f}" for took in seconds)
        print(f"turn {turn + 1}: {rates} recordings a second on one and two workers: {ratios[-1]:.2f} ×", flush=True)
    print(f"two workers are {statistics.median(ratios):.2f} × as fast as one (median)")


def reference(archive: Path, scratch: Path) -> None:
    """Print our throughput against librosa and the reference network in int8, one process each, in turns."""
    import librosa

    from bench.compute import ReferenceNetwork, theirs

    network, ratios = ReferenceNetwork(), []
    paths = sorted(archive.rglob("*.wav"))
    for turn in range(TURNS):
        ours = score(archive, scratch / f"ours-{turn}", "--jobs", "1")[0] / len(paths)
        few = paths[:: max(1, len(paths) // 20)]
        began = time.perf_counter()
        for path in few:
            network.score(theirs(librosa.load(path, sr=RATE)[0]))
        other = (time.perf_counter() - began) / len(few)
        ratios.append(other / ours)
        print(
            f"turn {turn + 1}: {ours * 1e3:.1f} ms a recording against {other * 1e3:.1f}: {ratios[-1]:.1f} ×",
            flush=True,
        )
    print(f"{statistics.median(ratios):.1f} × the seed's way (median)")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--workers", action="store_true")
    parser.add_argument("--reference", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leakear-") as scratch:
        archive = make(args.folder or Path(scratch, "archive"), args.count)
        if args.workers:
            workers(archive, args.count, Path(scratch))
        elif args.reference:
            reference(archive, Path(scratch))
        else:
            took, memory = score(archive, Path(scratch, "out"), "--jobs", "1")
            tenth = max(1, len(memory) // 10)
            parts = [max(memory[part : part + tenth]) for part in range(0, len(memory), tenth)]
            print(f"{args.count} recordings in {took:.0f} s: {args.count / took:.1f} a second, one process")
            print("resident memory by tenths of the run, MiB: " + " ".join(f"{part:.0f}" for part in parts))


if __name__ == "__main__":
    main()
