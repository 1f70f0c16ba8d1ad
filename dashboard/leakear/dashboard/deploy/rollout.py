"""A rollout: one model, its nodes in waves, and what became of each. Pure: no broker, no clock."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from leakear.dashboard.fleet import Key
from leakear.edge.messages.reports import ModelRef, State

WAITING, SENDING, TRIAL, IN_USE, FAILED = "waiting", "sending", "trial", "in use", "failed"
TENTH = 10
"""The second wave is this part of all nodes."""


@dataclass
class Target:
    """A node of a rollout."""

    key: Key
    wave: int
    status: str = WAITING
    says: str = ""
    """sentence why it failed"""
    seen: bool = False
    """whether the node itself has reported the model on trial or in use"""
    until: str | None = None
    """UTC, when its trial ends if it can hear until then"""


def waves(count: int, *, careful: bool) -> Iterator[int]:
    """Yield the wave of each node: the first alone, then a tenth, then the rest; not careful: all at once."""
    second = 1 + max(1, count // TENTH)
    for index in range(count):
        yield 0 if not careful or index == 0 else 1 if index < second else 2


@dataclass
class Rollout:
    """One model on its way to its nodes."""

    who: str
    """user who started it"""
    data: bytes
    trial: bool
    targets: list[Target]
    model: ModelRef | None = None
    """as the first node has named it"""
    wave: int = 0
    stopped: str | None = None
    """sentence why no further node gets it; None: it goes on"""

    @classmethod
    def of(cls, who: str, data: bytes, keys: Sequence[Key], *, careful: bool, trial: bool) -> "Rollout":
        """Plan one. The nodes get it in the order given."""
        planned = zip(keys, waves(len(keys), careful=careful), strict=True)
        return cls(who, data, trial, [Target(key, wave) for key, wave in planned])

    @property
    def over(self) -> bool:
        """Whether nothing will happen any more by itself, except that a node takes the model back."""
        return self.stopped is not None or all(target.status in (IN_USE, FAILED) for target in self.targets)

    def due(self) -> list[Target]:
        """Return the nodes that get the model now; the next wave begins when all of the last use it."""
        if self.stopped is not None:
            return []
        now = [target for target in self.targets if target.wave == self.wave]
        if all(target.status == IN_USE for target in now) and any(t.wave > self.wave for t in self.targets):
            self.wave += 1
            return self.due()
        return [target for target in now if target.status == WAITING]

    def took(self, target: Target, model: ModelRef | None) -> None:
        """Note that a node has taken the whole model."""
        target.status = TRIAL
        self.model = self.model or model

    def failed(self, target: Target, sentence: str) -> None:
        """Note trouble with a node: no further node gets the model."""
        target.status, target.says, target.until = FAILED, sentence, None
        if self.stopped is None:
            self.stopped = f"{'/'.join(target.key)}: {sentence}"

    def reported(self, target: Target, report: State) -> None:
        """Compare with what the node reports of itself."""
        if self.model is None or target.status not in (TRIAL, IN_USE):
            return
        trial = report.model_trial
        if report.model == self.model:
            target.status, target.seen, target.until = IN_USE, True, None
        elif trial is not None and trial.model == self.model:
            target.seen, target.until = True, trial.until
        elif target.status == IN_USE:
            self.failed(target, "The model was taken back: see the events of the node.")
        elif target.seen:
            self.failed(target, "The model did not pass its trial: see the events of the node.")

    def to_dict(self) -> dict[str, Any]:
        """Return what the page shows."""
        return {
            "who": self.who,
            "model": self.model.id if self.model else None,
            "wave": self.wave,
            "stopped": self.stopped,
            "over": self.over,
            "nodes": [
                {
                    "site": t.key[0],
                    "node": t.key[1],
                    "wave": t.wave,
                    "status": t.status,
                    "says": t.says,
                    "until": t.until,
                }
                for t in self.targets
            ],
        }


@dataclass
class Outcome:
    """What became of a command to several nodes."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, key: Key, *, ok: bool, says: str) -> None:
        """Add a node."""
        self.rows.append({"site": key[0], "node": key[1], "ok": ok, "says": says})
