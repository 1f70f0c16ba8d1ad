"""The ledger: which model file is in use, which wait, which were in use before. One JSON file, replaced atomically."""

import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from leakear.edge import files

log = logging.getLogger(__name__)

CONFIGURED, FACTORY = "", "factory"
"""In the place of a file name: the model that [model] path names, and the one that came with this software."""
KEPT = 4
"""Models that were in use before and whose files are kept."""


@dataclass(frozen=True)
class Ledger:
    """What `ledger.json` holds. Models are named by their file; `CONFIGURED` and `FACTORY` stand for the two others."""

    configured: str = ""
    """hash of the configured model's network when another one took its place"""
    installed: str = CONFIGURED
    """the model in use"""
    before: tuple[str, ...] = ()
    """models that were in use before it, newest first"""
    staged: str = ""
    """the verified model that waits; empty: none"""
    candidate: str = ""
    """the model on trial beside the one in use; empty: none"""
    watched: bool = False
    """whether the model in use is new: it falls back to the one before it"""
    tried: bool = False
    """whether the model that is watched has passed a trial"""
    starts: int = 0
    """starts of the daemon since a new model last scored enough windows"""
    newest: float = 0.0
    """when the newest model that was ever in use was created, s since 1970"""
    untold: str = ""
    """sentence about the last change that is not an event yet; empty: none"""

    @property
    def kept(self) -> frozenset[str]:
        """Names of all files that are needed."""
        return frozenset({self.installed, self.staged, self.candidate, *self.before})

    def in_use(self, name: str, **changes: Any) -> Self:
        """Return the ledger in which this model is in use and the present one is the first of those before it."""
        rest = (other for other in (self.installed, *self.before) if other != name)
        before = tuple(dict.fromkeys(rest))[:KEPT]
        return replace(self, installed=name, before=before, starts=0, **{"watched": False, "tried": False, **changes})

    def fallen_back(self, **changes: Any) -> Self:
        """Return the ledger in which the model before this one is in use again, and this one is gone."""
        name, *rest = self.before or (CONFIGURED,)
        return replace(self, installed=name, before=tuple(rest), watched=False, tried=False, starts=0, **changes)

    def to_json(self) -> bytes:
        """Write the file's content."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read a file's content, that of version 0.1 as well. Raises ValueError or TypeError."""
        given = json.loads(text)
        if not isinstance(given, dict):
            raise TypeError("it holds no object")
        if "previous" in given:  # version 0.1: its trial was that of a model already in use
            previous, watched = given.pop("previous"), given.pop("trial", False)
            given |= {"before": [previous] if given.get("installed") else [], "watched": watched}
        ledger = cls(**given | {"before": tuple(given.get("before", ()))})
        names = (ledger.installed, ledger.staged, ledger.candidate, *ledger.before, ledger.untold, ledger.configured)
        if not all(isinstance(name, str) for name in names) or not isinstance(ledger.starts, int):
            raise TypeError("a value has a wrong type")
        return ledger


def read(path: Path) -> Ledger:
    """Read the ledger; one that is not there or damaged is empty: the configured model is used."""
    try:
        return Ledger.from_json(path.read_bytes())
    except FileNotFoundError:
        return Ledger()
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s is unreadable (%s): the configured model is used", path, error)
        return Ledger()


def write(path: Path, ledger: Ledger) -> None:
    """Replace the ledger durably. Raises OSError; then the old one is still there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, ledger.to_json(), mode=0o644)
