"""Recordings of the same sound: contradictions between labels, and what must stay on one side of a split."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from leakear.edge.errors import InputDataError
from leakear.train.data.collection import fingerprints
from leakear.train.data.collection.survey import Facts
from leakear.train.data.dataset import Recording
from leakear.train.data.joining import Joined

_NAMED = 5
"""Pairs that are named in full."""


@dataclass(frozen=True)
class Same:
    """Two recordings of the same sound."""

    first: Recording
    second: Recording
    exact: bool
    """False: cut, resampled or with another gain."""

    @property
    def contradictory(self) -> bool:
        """Whether they have different labels."""
        return self.first.label != self.second.label

    def __str__(self) -> str:
        how = "is" if self.exact else "seems to be a copy (cut, resampled or with another gain) of"
        label = " under the other label" if self.contradictory else ""
        return f"{self.second.name} {how} {self.first.name}{label}"


def find(recordings: Sequence[Recording], facts: Sequence[Facts]) -> list[Same]:
    """Return the recordings that hold the same sound: exact copies of the first one, then near copies."""
    by_sound: dict[str, list[int]] = defaultdict(list)
    for number, fact in enumerate(facts):
        if fact.sound:
            by_sound[fact.sound].append(number)
    found = [
        Same(recordings[first], recordings[other], exact=True)
        for first, *others in by_sound.values()
        for other in others
    ]
    ones = [numbers[0] for numbers in by_sound.values()]
    near = fingerprints.alike([facts[number].fingerprint for number in ones])
    return found + [Same(recordings[ones[a]], recordings[ones[b]], exact=False) for a, b in near]


def refuse_contradictions(found: Sequence[Same]) -> None:
    """Raise InputDataError where one sound stands under both labels."""
    wrong = [same for same in found if same.exact and same.contradictory]
    if wrong:
        more = f"; and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise InputDataError(
            f"the same sound stands under both labels: {'; '.join(map(str, wrong[:_NAMED]))}{more}: delete the wrong "
            "one"
        )


def lines(found: Sequence[Same]) -> Iterator[str]:
    """Yield the sentences that tell a person of copies, a group in each."""
    for exact, what in ((True, "copies"), (False, "near copies")):
        together = groups([same for same in found if same.exact == exact])
        for group in together[:_NAMED]:
            names = ", ".join(r.name for r in group[:_NAMED])
            more = f" and {len(group) - _NAMED} more" if len(group) > _NAMED else ""
            how = (
                "hold the same sound" if exact else "seem to hold the same sound (cut, resampled or with another gain)"
            )
            label = ", under both labels" if len({r.label for r in group}) > 1 else ""
            yield f"{names}{more} {how}{label}"
        if together:
            count = "1 group" if len(together) == 1 else f"{len(together)} groups"
            yield f"{count} of {what}, {sum(map(len, together))} recordings: a split keeps each group on one side"


def groups(found: Sequence[Same]) -> list[list[Recording]]:
    """Return the recordings that are copies of each other, directly or through others, in order of their names."""
    known = {r.name: r for same in found for r in (same.first, same.second)}
    by_root: dict[str, list[Recording]] = defaultdict(list)
    root = _roots(found)
    for name in sorted(known):
        by_root[root[name]].append(known[name])
    return sorted(by_root.values(), key=lambda group: group[0].name)


def marked(recordings: Sequence[Recording], found: Sequence[Same]) -> list[Recording]:
    """Return the recordings with `same` set: the name of the first recording of that sound."""
    root = _roots(found)
    return [replace(r, same=root.get(r.name, "")) for r in recordings]


def _roots(found: Sequence[Same]) -> dict[str, str]:
    """Return name → name of the recording that stands for its group."""
    joined = Joined()
    for same in found:
        joined.join(same.second.name, same.first.name)
    return {name: joined.root(name) for name in joined}
