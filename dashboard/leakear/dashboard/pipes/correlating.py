"""Correlates one pair of recordings in a process of its own, with a limit for memory and the lowest priority.

    python -m leakear.dashboard.pipes.correlating FOLDER

FOLDER holds A.flac, B.flac and job.json; answer.json is written into it. What a node sends can at worst end this
process.
"""

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from leakear.dashboard.pipes.description import Described
from leakear.edge.errors import LeakearError
from leakear.edge.messages.recordings import LONGEST_S

MEMORY = 3 * 2**30
"""bytes of address space; a pair of a minute needs under 1 GiB"""


def job(described: Described, a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    """Return the content of job.json. `a`, `b`: the recordings as the nodes describe them (`Recording.to_dict`)."""
    row = described.columns()
    return {"pipe": row, "a": a, "b": b, "names": ["/".join(described.a), "/".join(described.b)]}


def correlated(folder: Path) -> dict[str, Any]:
    """Locate; return fields, curves and page, or the reason why the recordings cannot be used."""
    from leakear.dashboard.locate import locate, recordings
    from leakear.dashboard.locate.answer import curves, report, wording
    from leakear.dashboard.locate.spectra import Clock

    asked = json.loads((folder / "job.json").read_text())
    clocks = [_Clock(asked[end]) for end in ("a", "b")]
    a, b = (recordings.one_channel(folder / f"{name}.flac", LONGEST_S + 1) for name in ("A", "B"))
    clock = Clock(
        offset_bound=(clocks[0].uncertainty_s ** 2 + clocks[1].uncertainty_s ** 2) ** 0.5,
        drift_bound_ppm=(clocks[0].drift_uncertainty_ppm + clocks[1].drift_uncertainty_ppm) / 2,
        drift_ppm=clocks[1].drift_ppm - clocks[0].drift_ppm,
    )
    pair, notes = recordings.pair(a, b, clock, clocks[1].start_s - clocks[0].start_s)
    location = locate([pair], Described.of_row(asked["pipe"]).physical())
    fields = wording.fields(location, notes) | {
        "clock_uncertainty_s": clock.offset_bound, "drift_ppm": clock.drift_ppm,
        "drift_uncertainty_ppm": clock.drift_bound_ppm, "seconds": len(pair.a) / pair.rate,
    }  # fmt: skip
    drawn = curves.curves(location) | {"recorded": [asked["a"], asked["b"]]}
    return {"fields": fields, "curves": drawn, "page": report.page(location, asked["names"])}


class _Clock:
    """What a node says of the time of its samples."""

    def __init__(self, about: dict[str, Any]) -> None:
        self.start_s = float(about["start_s"])
        self.uncertainty_s = float(about["uncertainty_s"])
        samples = about["sample_clock"] or {}
        self.drift_ppm = float(samples.get("drift_ppm", 0.0))
        self.drift_uncertainty_ppm = float(samples.get("drift_uncertainty_ppm", 100.0))


def main() -> int:
    """Run; the exit code is 0 whenever there is an answer."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.nice(10)
    folder = Path(sys.argv[1])
    try:
        answer = correlated(folder)
    except LeakearError as error:
        answer = {"refused": str(error).replace(f"{folder}/", "")}
    (folder / "answer.json").write_text(json.dumps(answer, allow_nan=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
