"""Recordings of the same sound: contradictions between labels, and what must stay on one side of a split."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from leakear.edge.errors import InputDataError
from leakear.train.data.collection import fingerprints
from leakear.train.data.collection.survey import Facts
from leakear.train.data.dataset import Recording

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
    """Yield the sentences that tell a person of copies."""
    for exact, what in ((True, "copy"), (False, "near copy")):
        pairs = [same for same in found if same.exact == exact]
        yield from map(str, pairs[:_NAMED])
        if pairs:
            count = f"1 {what}" if len(pairs) == 1 else f"{len(pairs)} {what.removesuffix('y')}ies"
            yield f"{count}: a split keeps both recordings on one side"


def marked(recordings: Sequence[Recording], found: Sequence[Same]) -> list[Recording]:
    """Return the recordings with `same` set: the name of the first recording of that sound."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for same in found:
        parent[root(same.second.name)] = root(same.first.name)
    return [replace(r, same=root(r.name) if r.name in parent else "") for r in recordings]
