"""The feature cache: windows computed once, in sharded and checksummed files, never all of them in memory.

    CACHE/KEY/shard-00000.u8    uint8 (n, rows, frames), plain bytes: `numpy.memmap(path, "uint8", "r", shape=…)`
    CACHE/KEY/shard-00000.json  its sha256, one entry a window, and the recordings that could not be read

KEY is a digest of everything that determines the content: recordings, spectrogram, copies, seed. A shard is complete
when its JSON exists, so an interrupted run continues where it stopped and a second run starts at once. Rows are read,
not mapped: mapped pages would count as this process's memory.
"""

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from leakear.edge import files
from leakear.edge.errors import InputDataError
from leakear.edge.texts import printable
from leakear.train.data.clips import Codes, Recipe, clips
from leakear.train.data.dataset import Recording
from leakear.train.work.jobs import Jobs
from leakear.train.work.tasks import unordered

log = logging.getLogger(__name__)

VERSION = 1
"""Increased when the same recordings would give other features."""
_SHARD_BYTES = 64 << 20
_MIN_SHARDS = 32
"""A small set is also divided into this many shards, so that every core has work and an interruption costs little."""


@dataclass(frozen=True)
class Shard:
    """One file of windows."""

    path: Path
    sha256: str
    rows: tuple[tuple[int, int, int, str], ...]
    """(recording's index, window, copy, augmentation) of each."""
    skipped: tuple[tuple[int, str], ...]
    """(recording's index, why it could not be read)."""


@dataclass(frozen=True)
class FeatureSet:
    """Windows of recordings, on disk; row numbers address them."""

    recipe: Recipe
    recordings: tuple[Recording, ...]
    skipped: tuple[tuple[str, str], ...]
    """(name, reason) of recordings that could not be read."""
    files: tuple[Path, ...]
    """The shards."""
    shard: npt.NDArray[np.int32]
    """(n,) index into `files` of each row."""
    offset: npt.NDArray[np.int32]
    """(n,) position of each row in its file."""
    recording: npt.NDArray[np.int32]
    """(n,) index into `recordings`."""
    window: npt.NDArray[np.int32]
    """(n,) number of the window in its recording."""
    copy: npt.NDArray[np.int32]
    """(n,) 0 for the recording itself, else the number of the changed copy."""

    def __len__(self) -> int:
        return len(self.shard)

    @property
    def targets(self) -> npt.NDArray[np.uint8]:
        """(n,) 1 for Leak."""
        return np.array([r.target for r in self.recordings], np.uint8)[self.recording]

    @property
    def names(self) -> list[str]:
        """(n,) name of each row's recording."""
        return [self.recordings[index].name for index in self.recording]

    @property
    def readable(self) -> list[Recording]:
        """The recordings that could be read."""
        bad = {name for name, _ in self.skipped}
        return [r for r in self.recordings if r.name not in bad]

    def select(self, chosen: npt.NDArray[Any]) -> "FeatureSet":
        """Return a set of some rows (a mask or row numbers); nothing is copied on disk."""
        parts = {name: getattr(self, name)[chosen] for name in ("shard", "offset", "recording", "window", "copy")}
        return FeatureSet(self.recipe, self.recordings, self.skipped, self.files, **parts)

    def of(self, recordings: Sequence[Recording], *, copies: bool = True) -> "FeatureSet":
        """Return the rows of these recordings; `copies=False` leaves the changed copies out."""
        wanted = {r.name for r in recordings}
        known = np.array([r.name in wanted for r in self.recordings], bool)
        return self.select(known[self.recording] & (copies | (self.copy == 0)))

    def read(self, rows: Sequence[int] | npt.NDArray[Any]) -> Codes:
        """Read rows, shape (k, rows, frames). Raises InputDataError where a shard was cut short."""
        shape = self.recipe.spec.shape
        codes = np.empty((len(rows), *shape), np.uint8)
        for target, row in zip(codes, rows, strict=True):
            with self.files[self.shard[row]].open("rb", buffering=0) as file:
                file.seek(int(self.offset[row]) * target.nbytes)
                if file.readinto(target.data) != target.nbytes:
                    raise InputDataError(f"{file.name} is shorter than its index says: delete its folder and run again")
        return codes


def default_cache() -> Path:
    """Return the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "leakear" / "features"


def build(recordings: Sequence[Recording], recipe: Recipe, cache: Path, *, jobs: Jobs | None = None) -> FeatureSet:
    """Compute the shards that are not in the cache, by `jobs` (default: a process a core), and open the set.

    Recordings need their sha256 (`dataset.fingerprint`). Those that cannot be read are listed in `skipped`.
    """
    folder = cache.absolute() / _key(recordings, recipe)
    folder.mkdir(parents=True, exist_ok=True)
    plan = list(_plan(len(recordings), recipe))
    shards = {number: shard for number in range(len(plan)) if (shard := _open(folder, number, recipe))}
    missing = [number for number in range(len(plan)) if number not in shards]
    elsewhere = replace(recipe, backgrounds=tuple(path.absolute() for path in recipe.backgrounds))
    tasks = [(folder, number, [(i, _absolute(recordings[i])) for i in plan[number]], elsewhere) for number in missing]
    alike = [folder, *(recording.path.absolute() for recording in recordings[:1])]
    with tqdm(total=len(recordings), desc="features", unit="file", disable=not missing or None) as bar:
        bar.update(sum(len(plan[number]) for number in shards))
        for task, shard in unordered(_write, tasks, _chosen(jobs, len(tasks)), files=alike):
            shards[missing[task]] = shard
            bar.update(len(plan[missing[task]]))
    return _assemble(recipe, recordings, [shards[number] for number in range(len(plan))])


def _key(recordings: Sequence[Recording], recipe: Recipe) -> str:
    facts = asdict(recipe) | {"spec": recipe.spec.to_json(), "version": VERSION}
    facts["backgrounds"] = [(path.name, path.stat().st_size) for path in recipe.backgrounds]
    facts["recordings"] = [r.sha256 for r in recordings]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]


def _plan(count: int, recipe: Recipe) -> Iterator[range]:
    """Divide recordings into shards; this depends only on the set, so that another process can continue it."""
    rows, frames = recipe.spec.shape
    fitting = _SHARD_BYTES // (2 * rows * frames * (1 + recipe.copies))
    size = max(1, min(fitting, -(-count // _MIN_SHARDS)))
    return (range(start, min(start + size, count)) for start in range(0, count, size))


def _absolute(recording: Recording) -> Recording:
    """Return it with a path that holds in every process."""
    return replace(recording, path=recording.path.absolute())


def _chosen(jobs: Jobs | None, tasks: int) -> Jobs:
    return 1 if tasks <= 1 else jobs or os.cpu_count() or 1  # starting others takes longer than one shard


def _write(task: tuple[Path, int, Sequence[tuple[int, Recording]], Recipe]) -> Shard:
    """Compute one shard, window by window, and write its index last."""
    folder, number, recordings, recipe = task
    path = _path(folder, number)
    part = path.with_suffix(f".{secrets.token_hex(4)}")  # several workers may share one cache
    rows: list[tuple[int, int, int, str]] = []
    skipped: list[tuple[int, str]] = []
    checksum = hashlib.sha256()
    with part.open("wb") as file:
        for index, recording in recordings:
            begun, written = file.tell(), len(rows)
            running = checksum.copy()
            try:
                for clip in clips(recording, recipe):
                    file.write(clip.codes.tobytes())
                    checksum.update(clip.codes.tobytes())
                    rows.append((index, clip.window, clip.copy, clip.augmentation))
            except InputDataError as error:  # damaged half way: drop all of its windows
                file.truncate(begun)
                file.seek(begun)
                del rows[written:]
                checksum = running
                skipped.append((index, str(error).removeprefix(f"{printable(recording.path)}: ")))
    part.replace(path)
    shard = Shard(path, checksum.hexdigest(), tuple(rows), tuple(skipped))
    described = json.dumps({"sha256": shard.sha256, "rows": rows, "skipped": skipped})
    files.write(path.with_suffix(".json"), described.encode())
    return shard


def _path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05}.u8"


def _open(folder: Path, number: int, recipe: Recipe) -> Shard | None:
    """Return a complete shard with a correct checksum; None when it must be computed (again)."""
    path = _path(folder, number)
    index = path.with_suffix(".json")
    if not index.is_file() or not path.is_file():
        return None
    try:
        values = json.loads(index.read_text(encoding="utf-8"))
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        shard = Shard(path, values["sha256"], tuple(map(tuple, values["rows"])), tuple(map(tuple, values["skipped"])))
    except (ValueError, KeyError, TypeError):
        found, shard = "", Shard(path, "damaged", (), ())
    rows, frames = recipe.spec.shape
    if found != shard.sha256 or path.stat().st_size != len(shard.rows) * rows * frames:
        log.warning("%s is damaged and is computed again", path)
        return None
    return shard


def _assemble(recipe: Recipe, recordings: Sequence[Recording], shards: Sequence[Shard]) -> FeatureSet:
    def column(value: Callable[[int, int, tuple[int, int, int, str]], int]) -> npt.NDArray[np.int32]:
        return np.array(
            [value(s, offset, row) for s, shard in enumerate(shards) for offset, row in enumerate(shard.rows)], np.int32
        )

    return FeatureSet(
        recipe=recipe,
        recordings=tuple(recordings),
        skipped=tuple((recordings[index].name, why) for shard in shards for index, why in shard.skipped),
        files=tuple(shard.path for shard in shards),
        shard=column(lambda s, _offset, _row: s),
        offset=column(lambda _s, offset, _row: offset),
        recording=column(lambda _s, _offset, row: row[0]),
        window=column(lambda _s, _offset, row: row[1]),
        copy=column(lambda _s, _offset, row: row[2]),
    )


def joined(one: FeatureSet, other: FeatureSet) -> FeatureSet:
    """Return the rows of two sets one after the other; `recipe` is the first one's."""
    shards, recordings = len(one.files), len(one.recordings)
    return FeatureSet(
        recipe=one.recipe,
        recordings=(*one.recordings, *other.recordings),
        skipped=(*one.skipped, *other.skipped),
        files=(*one.files, *other.files),
        shard=np.concatenate([one.shard, other.shard + np.int32(shards)]),
        offset=np.concatenate([one.offset, other.offset]),
        recording=np.concatenate([one.recording, other.recording + np.int32(recordings)]),
        window=np.concatenate([one.window, other.window]),
        copy=np.concatenate([one.copy, other.copy]),
    )
