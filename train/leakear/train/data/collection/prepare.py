"""Listed recordings → the ones to train on: heard once, contradictions refused, useless ones left out by name."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from leakear.edge.audio.channels import Choice, told
from leakear.edge.errors import InputDataError
from leakear.edge.health.monitor import FAULTS
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.texts import counted, printable
from leakear.train.data import augmentation
from leakear.train.data.collection import duplicates
from leakear.train.data.collection.duplicates import Same
from leakear.train.data.collection.folders import SOUND_SUFFIXES
from leakear.train.data.collection.survey import UNUSABLE, Facts, survey
from leakear.train.data.dataset import Listed, Recording, reasons, require_classes
from leakear.train.work.jobs import Jobs


@dataclass(frozen=True)
class Prepared:
    """A data set that has been listened to."""

    recordings: tuple[Recording, ...]
    """The usable ones, with sha256 and `same`."""
    facts: tuple[Facts, ...]
    """Of each usable one."""
    left_out: tuple[tuple[str, str], ...]
    """(name, reason)"""
    same: tuple[Same, ...]
    channel: Choice

    def lines(self) -> Iterator[str]:
        """Yield what a person should know before training."""
        yield from told((facts.channels for facts in self.facts), self.channel)
        several = [facts for facts in self.facts if facts.channels > 1]
        silent = Counter(number for facts in several for number in facts.silent_channels)
        for number, count in sorted(silent.items()):
            yield f"channel {number} of {count} recordings is digital silence"
        for r, facts in zip(self.recordings, self.facts, strict=True):
            yield from (f"{r.name}: {note}" for note in facts.notes)
        yield from duplicates.lines(self.same)
        faults = Counter(fault for facts in self.facts for fault in facts.faults)
        for fault, count in sorted(faults.items()):
            what = "those windows are left out" if fault in UNUSABLE else "they are kept"
            yield (
                f"{counted(count, 'recording')} with windows in which a node would report {fault} "
                f"({FAULTS[fault].partition(':')[0]}): {what}"
            )


def prepare(
    listed: Listed, spec: SpectrogramSpec, channel: Choice, cache: Path, jobs: Jobs, *, clipped: bool = False
) -> Prepared:
    """Listen to all recordings. `clipped`: keep clipped ones, for comparison with published figures.

    Raises InputDataError for one sound under both labels, and where a class is missing.
    """
    found = survey(listed.recordings, spec, channel, cache, jobs)
    kept: list[tuple[Recording, Facts]] = []
    left_out: list[tuple[str, str]] = []
    for recording, facts in zip(listed.recordings, found, strict=True):
        reason = facts.unusable(clipped=clipped)
        if not reason and recording.sha256 not in ("", facts.sha256):
            reason = "is not the file that the manifest describes: its sha256 differs"
        if reason:
            left_out.append((recording.name, reason))
        else:
            kept.append((replace(recording, sha256=facts.sha256), facts))
    recordings = [recording for recording, _ in kept]
    same = duplicates.find(recordings, [facts for _, facts in kept])
    duplicates.refuse_contradictions(same)
    require_classes(recordings, listed.source, left_out, listed.remedy)
    return Prepared(
        tuple(duplicates.marked(recordings, same)),
        tuple(facts for _, facts in kept),
        tuple(left_out),
        tuple(same),
        channel,
    )


def backgrounds(
    folder: Path, spec: SpectrogramSpec, cache: Path, jobs: Jobs
) -> tuple[tuple[Path, ...], list[tuple[str, str]]]:
    """Return the sound files of a folder that can be mixed in, and (name, reason) of the others.

    Each is heard once, so that a bad one costs no recording later. Raises InputDataError when none is left.
    """
    good: list[Path] = []
    hidden = (path for path in sorted(folder.rglob(".*")) if path.suffix.lower() in SOUND_SUFFIXES)
    bad = [(printable(path.relative_to(folder)), "is hidden") for path in hidden]
    recordings = [
        Recording(path, "NoLeak", printable(path.relative_to(folder))) for path in augmentation.backgrounds(folder)
    ]
    for recording, facts in zip(recordings, survey(recordings, spec, "mix", cache, jobs), strict=True):
        if facts.error:
            bad.append((recording.name, facts.error))
        else:
            good.append(recording.path)
    if not good:
        raise InputDataError(f"{printable(folder)} holds no background that can be used: {reasons(bad)}")
    return tuple(good), bad
