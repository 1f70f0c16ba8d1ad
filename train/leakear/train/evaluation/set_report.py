"""Report on a data set before training: what it holds, what was left out, what makes an honest split impossible."""

import html
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from leakear.edge import files
from leakear.train.data.collection import duplicates
from leakear.train.data.collection.prepare import Prepared
from leakear.train.data.collection.survey import Facts
from leakear.train.data.dataset import Recording
from leakear.train.data.split import joined
from leakear.train.evaluation import html_page
from leakear.train.evaluation.metrics import auc
from leakear.train.runfolder import LABELS

_NAMED = 5
"""Recordings of a group that are named."""
_FEW = 10
"""Recordings of a class below which every figure is uncertain."""
_SEPARATES = 0.9
"""AUC of one property from which it separates the classes by itself."""
_HELD_BY_ONE = 0.5
"""Share of a class that one site may hold."""


def problems(data: Prepared) -> Iterator[str]:
    """Yield what makes figures on this data set dishonest or uncertain, each with the remedy."""
    by_class = {label: [r for r in data.recordings if r.label == label] for label in LABELS}
    for label, recordings in by_class.items():
        if len(recordings) < _FEW:
            yield f"only {len(recordings)} recordings are {label}: every figure is uncertain; record more"
    yield from _sites(data.recordings, by_class)
    yield from joined(data.recordings)
    for name, prop in _PROPERTIES.items():
        yield from confounded(name, [prop.value(facts) for facts in data.facts], data.recordings)
    for group in duplicates.groups(data.same):
        if len({r.label for r in group}) > 1:
            names = ", ".join(r.name for r in group[:_NAMED]) + (" …" if len(group) > _NAMED else "")
            yield f"{names} seem to hold the same sound under both labels: listen to them, one label is wrong"


@dataclass(frozen=True)
class _Property:
    """A property of a file that may give its class away."""

    value: Callable[[Facts], float]
    unit: str
    step: float = 0.0
    """Difference of the classes' medians up to which it gives nothing away."""
    ratio: float = 1.0
    """The same, as a quotient."""

    def differs(self, low: float, high: float) -> bool:
        """Whether two medians, low <= high, differ by more than nothing."""
        return high - low > max(self.step, (self.ratio - 1) * low)


_PROPERTIES = {
    "sample rate": _Property(lambda facts: facts.rate, "Hz"),
    "length": _Property(lambda facts: round(facts.seconds, 1), "s", ratio=1.1),
    "number of channels": _Property(lambda facts: facts.channels, "channels"),
    "level": _Property(lambda facts: facts.level_dbfs if facts.level_dbfs is not None else -140.0, "dBFS", step=1.0),
    "bandwidth": _Property(lambda facts: facts.bandwidth_hz, "Hz", ratio=1.1),
}


def _sites(recordings: Sequence[Recording], by_class: dict[str, list[Recording]]) -> Iterator[str]:
    without = [r.name for r in recordings if r.site is None]
    if without:
        yield (
            f"{len(without)} recordings have no site ({without[0]} …): nothing can be validated on other sites; add a "
            "column site (leakear-train manifest writes one), or give fit --site-pattern"
        )
    sites = {label: Counter(r.site for r in found if r.site is not None) for label, found in by_class.items()}
    if not all(sites.values()):
        return
    if not set(sites[LABELS[0]]) & set(sites[LABELS[1]]):
        yield (
            "no site holds both classes: a network can learn the sites instead of the leaks; record the same place "
            "before and after a repair"
        )
    for label, counts in sites.items():
        site, most = counts.most_common(1)[0]
        if len(counts) < 2:
            yield f"all {label} are of one site ({site}): a split by site is impossible; record at other sites"
        elif most > _HELD_BY_ONE * sum(counts.values()):
            yield f"site {site} holds {most} of {sum(counts.values())} {label} recordings: record at other sites"


def confounded(name: str, values: Sequence[float], recordings: Sequence[Recording]) -> Iterator[str]:
    """Yield a sentence where a property of the files, its value in each, gives the class away."""
    prop = _PROPERTIES[name]
    targets = np.array([r.target for r in recordings])
    numbers = np.array(values, float)
    if len(np.unique(numbers)) < 2 or min(np.bincount(targets, minlength=2)) < 3:
        return
    area = auc(numbers, targets)
    quiet, leaks = (float(np.median(numbers[targets == target])) for target in (0, 1))
    if max(area, 1 - area) >= _SEPARATES and prop.differs(*sorted((quiet, leaks))):
        medians = f"median {quiet:.4g} {prop.unit} without a leak, {leaks:.4g} {prop.unit} with one"
        yield (
            f"{name} alone separates the classes (AUC {max(area, 1 - area):.2f}; {medians}): a network can learn it "
            "instead of leaks; record both classes in the same way"
        )


def write(path: Path, title: str, listed: Sequence[str], data: Prepared) -> None:
    """Write the report as one HTML page."""
    found = list(problems(data))
    parts = [
        html_page.head(title),
        html_page.section("What became of each folder", _lines(listed)),
        html_page.section("What makes an honest figure impossible", _lines(found or ["nothing was found"])),
        html_page.section("To know before training", _lines(list(data.lines()) or ["nothing"])),
        *(html_page.section(name, html_page.table(head, rows)) for name, head, rows in counts(data)),
        html_page.section("Pictures", html_page.image(_pictures(data))),
        html_page.section(
            "Recordings left out",
            html_page.table(("file", "why"), data.left_out) if data.left_out else _lines(["none"]),
        ),
        html_page.section("All recordings", html_page.table(_COLUMNS, [_row(r, f) for r, f in _pairs(data)])),
    ]
    files.write(path, ("\n".join(parts) + "\n").encode())


def counts(data: Prepared) -> Iterator[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]]:
    """Yield tables (title, heads, rows): recordings of each class by a property."""
    ways: dict[str, Callable[[Recording, Facts], str]] = {
        "Class": lambda r, _: r.kind or r.label,
        "Site": lambda r, _: r.site or "(none)",
        "Date": lambda r, _: (r.date or "(none)")[:10],
        "Sample rate": lambda _, f: f"{f.rate} Hz, {f.channels} ch.",
        "Length": lambda _, f: _band(f.seconds, (5, 10, 20, 60, 600, 3600), "s"),
        "Level": lambda _, f: _band(f.level_dbfs or -140.0, (-80, -70, -60, -50, -40, -30, -20, -10), "dBFS"),
    }
    for title, key in ways.items():
        found: dict[str, Counter[str]] = {}
        for r, facts in _pairs(data):
            found.setdefault(key(r, facts), Counter())[r.label] += 1
        rows = [(name, *(row[label] for label in LABELS)) for name, row in sorted(found.items())]
        yield title, (title.lower(), *LABELS), rows


def _pairs(data: Prepared) -> Iterator[tuple[Recording, Facts]]:
    return zip(data.recordings, data.facts, strict=True)


def _band(value: float, edges: Sequence[float], unit: str) -> str:
    number = int(np.searchsorted(edges, value, side="right"))
    if number == 0:
        return f"under {edges[0]} {unit}"
    if number == len(edges):
        return f"{edges[-1]} {unit} and more"
    return f"{edges[number - 1]} to {edges[number]} {unit}"


_COLUMNS = ("file", "label", "site", "s", "Hz", "ch.", "dBFS", "peak", "clipped", "band, Hz", "faults")


def _row(r: Recording, f: Facts) -> tuple[Any, ...]:
    level = "–" if f.level_dbfs is None else f"{f.level_dbfs:.1f}"
    faults = ", ".join(f"{name} {count}/{f.windows}" for name, count in f.faults.items())
    return (r.name, r.label, r.site or "", f"{f.seconds:.1f}", f.rate, f.channels, level, f"{f.peak:.3f}",
            f"{f.clip_ratio:.2%}", f"{f.bandwidth_hz:.0f}", faults)  # fmt: skip


def _lines(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>"


def _pictures(data: Prepared) -> Figure:
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    axes = figure.subplots(1, 3)
    drawn = (
        ("level, dBFS", 1.0, lambda f: f.level_dbfs if f.level_dbfs is not None else -140.0),
        ("length, s", 1.0, lambda f: f.seconds),
        ("bandwidth, Hz", 500.0, lambda f: f.bandwidth_hz),
    )
    for axis, (name, least, value) in zip(axes, drawn, strict=True):
        groups = [[value(f) for r, f in _pairs(data) if r.label == label] for label in LABELS]
        low, high = min(map(min, groups)), max(map(max, groups))
        middle, half = (low + high) / 2, max(high - low, least) / 2
        axis.hist(groups, bins=20, range=(middle - half, middle + half), label=list(LABELS))
        axis.set_xlabel(name)
        axis.ticklabel_format(useOffset=False)
        axis.yaxis.get_major_locator().set_params(integer=True)
    axes[0].set_ylabel("recordings")
    axes[0].legend()
    return figure
