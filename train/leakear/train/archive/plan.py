"""The plan of a run: which recordings, listed once and divided into shards, so that a run continues where it stopped.

OUT/_plan.parquet   name (bytes, relative to the archive), site, date, bytes; a row group a shard
OUT/_run.json       what decides the scores; written last: with it the plan is whole
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakear.edge import files
from leakear.edge.audio.channels import Channel
from leakear.edge.errors import InputDataError, LeakearError
from leakear.train.archive.store import Store, is_sound
from leakear.train.work import identity

PLAN, RUN = "_plan.parquet", "_run.json"
CODE = ("leakear.edge", "leakear.train.archive")
"""Packages whose text decides a score."""
DATE = r"(?<!\d)((?:19|20)\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01]))(?!\d)"
"""A date in a name: 2026-11-29 or 20261129."""


@dataclass(frozen=True)
class Wanted:
    """What is scored, and how."""

    archive: Store
    model: Path
    out: Path
    channel: Channel = "mix"
    site: str = ""
    """Regular expression whose group is the site; empty: the folder directly below the archive."""
    date: str = DATE
    """Regular expression whose group is the date."""
    shard: int = 500
    """Recordings of a shard: what a kill costs at most."""

    def facts(self) -> dict[str, Any]:
        """Return what must be equal before a run may be continued."""
        return {
            "archive": self.archive.url,
            "model": identity.digest(self.model),
            "channel": self.channel,
            "site": self.site,
            "date": self.date,
            "shard": self.shard,
            "code": identity.code(CODE),
        }


@dataclass(frozen=True)
class Item:
    """One recording of a plan."""

    name: str
    """Relative to the archive; any bytes, as the file system holds them."""
    site: str
    date: str
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Plan:
    """A plan on disk."""

    wanted: Wanted
    recordings: int
    shards: int
    others: dict[str, int]
    """Ending → files that are no recordings by their names."""
    key: str
    """Digest of the plan and of what decides the scores: each shard carries it."""

    def items(self, number: int) -> list[Item]:
        """Return the recordings of a shard."""
        import pyarrow.parquet as pq

        rows = pq.ParquetFile(self.wanted.out / PLAN).read_row_group(number).to_pylist()
        return [Item(_decoded(row["name"]), row["site"], row["date"], row["bytes"]) for row in rows]

    def size(self, number: int) -> int:
        """Return how many recordings a shard holds."""
        return min(self.wanted.shard, self.recordings - number * self.wanted.shard)

    def path(self, number: int) -> Path:
        """Return the file of a shard."""
        return self.wanted.out / f"part-{number:06}.parquet"


def planned(wanted: Wanted) -> Plan:
    """List the archive, or read the plan of a run that is continued. Raises InputDataError, LeakearError."""
    file = wanted.out / RUN
    if not file.is_file():
        wanted.out.mkdir(parents=True, exist_ok=True)
        _write(wanted)
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        facts, recordings, shards, others = (kept[key] for key in ("facts", "recordings", "shards", "others"))
    except (OSError, ValueError, KeyError) as error:
        raise InputDataError(f"{file} cannot be read ({error}): give another --out") from None
    now = wanted.facts()
    if changed := [name for name, value in now.items() if facts.get(name) != value]:
        raise LeakearError(
            f"{wanted.out} holds scores of another {changed[0]} ({facts.get(changed[0])}, not {now[changed[0]]}): "
            "give another --out"
        )
    key = hashlib.sha256(json.dumps([facts, identity.digest(wanted.out / PLAN)], sort_keys=True).encode())
    return Plan(wanted, recordings, shards, others, key.hexdigest()[:32])


def _write(wanted: Wanted) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("name", pa.binary()), ("site", pa.string()), ("date", pa.string()), ("bytes", pa.int64())])
    others: Counter[str] = Counter()
    count = shards = 0
    with files.replacing(wanted.out / PLAN) as part, pq.ParquetWriter(part, schema) as writer:
        for shard in _shards(wanted, others):
            rows = [{"name": _encoded(i.name), "site": i.site, "date": i.date, "bytes": i.size} for i in shard]
            writer.write_table(pa.Table.from_pylist(rows, schema))
            count, shards = count + len(shard), shards + 1
        if not count:
            raise InputDataError(f"{wanted.archive.url} holds no recording: name the folder above them")
    kept = {"facts": wanted.facts(), "recordings": count, "shards": shards, "others": dict(sorted(others.items()))}
    files.write(wanted.out / RUN, (json.dumps(kept, indent=1) + "\n").encode())


def _shards(wanted: Wanted, others: Counter[str]) -> Iterator[list[Item]]:
    site, date = re.compile(wanted.site or r"^([^/]+)/"), re.compile(wanted.date)
    waiting: list[Item] = []
    for name, size in wanted.archive.files():
        if not is_sound(name):
            others[_shown(Path(name).suffix.lower()) or "(none)"] += 1
            continue
        when = _group(date, name).replace("-", "")
        written = f"{when[:4]}-{when[4:6]}-{when[6:]}" if re.fullmatch(r"\d{8}", when) else _group(date, name)
        waiting.append(Item(name, _group(site, name), written, size))
        if len(waiting) == wanted.shard:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _group(pattern: re.Pattern[str], name: str) -> str:
    found = pattern.search(name)
    return _shown(found[1]) if found and found[1] else ""


def _shown(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
