"""Rollback: which model a person means, and the two files with which it is asked for on the node itself.

The daemon alone writes the ledger. A person on the node puts `rollback.ask` into the models' folder; the daemon takes
it within a second, or at its next start, and leaves its answer in `rollback.answer`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from leakear.edge import files
from leakear.edge.mqtt.dispatcher import CommandRefused
from leakear.edge.remote.ledger import CONFIGURED, FACTORY
from leakear.edge.remote.model_store import ModelStore

ASK, ANSWER = "rollback.ask", "rollback.answer"
MAX_BYTES = 1024
"""Bytes of such a file that are read."""
SHORTEST = 8
"""Digits of a hash that name a model at least."""


@dataclass(frozen=True)
class Answer:
    """What the daemon has said."""

    sentence: str
    refused: bool


def choose(wanted: str, store: ModelStore) -> str:
    """Return the ledger's name of the model that a person means; empty: the one before.

    Raises CommandRefused with the models there are.
    """
    now = store.ledger
    if not wanted:
        if not now.before:
            raise CommandRefused("No other model was in use here before: name one, such as factory.")
        return now.before[0]
    fixed = {"factory": FACTORY, "configured": CONFIGURED}
    if wanted in fixed:
        return fixed[wanted]
    known = [(name, info) for name, info, use in store.models() if use not in ("staged", "on trial")]
    found = [
        name
        for name, info in known
        if info.model_id == wanted or (len(wanted) >= SHORTEST and info.flatbuffer_sha256.startswith(wanted))
    ]
    if len(found) == 1:
        return found[0]
    ids = ", ".join(info.model_id for _, info in known)
    if found:
        raise CommandRefused(f"{wanted} names more than one model here: give the id of one: {ids}.")
    raise CommandRefused(f"{wanted} was not in use here, or is not kept any more. There are: {ids}, factory.")


def ask(folder: Path, wanted: str) -> None:
    """Ask the daemon whose models are in this folder. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ANSWER).unlink(missing_ok=True)
    files.write(folder / ASK, json.dumps({"to": wanted}).encode(), mode=0o644)


def take(folder: Path) -> str | None:
    """Return what was asked, once; None: nothing was."""
    path = folder / ASK
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES)
        path.unlink()
        return str(json.loads(text)["to"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def answer(folder: Path, sentence: str, *, refused: bool = False) -> None:
    """Leave the daemon's answer. Raises OSError."""
    files.write(folder / ANSWER, json.dumps({"sentence": sentence, "refused": refused}).encode(), mode=0o644)


def read_answer(folder: Path) -> Answer | None:
    """Return the daemon's answer; None: there is none yet. Raises OSError."""
    try:
        with (folder / ANSWER).open("rb") as file:
            said = json.loads(file.read(MAX_BYTES))
        return Answer(str(said["sentence"]), bool(said["refused"]))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        return None
