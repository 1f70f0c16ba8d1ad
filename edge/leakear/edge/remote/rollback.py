"""Rollback: which model a person means."""

from leakear.edge.mqtt.dispatcher import CommandRefused
from leakear.edge.remote.ledger import CONFIGURED, FACTORY
from leakear.edge.remote.model_store import ModelStore

SHORTEST = 8
"""Digits of a hash that name a model at least."""


def choose(wanted: str, store: ModelStore) -> str:
    """Return the ledger's name of the model that a person means; empty: the one before.

    Raises CommandRefused with the models there are.
    """
    now = store.ledger
    if not wanted:
        if not now.before:
            raise CommandRefused(f"No other model was in use here before: {_without_a_former(store)}.")
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


def _without_a_former(store: ModelStore) -> str:
    """Say what can be named where no model was in use before; the one in use ends a trial."""
    if not store.ledger.candidate:
        return "name one, such as factory"
    in_use = next(info.model_id for _, info, use in store.models() if use == "in use")
    return f"to end the trial, name the model in use, {in_use}"
