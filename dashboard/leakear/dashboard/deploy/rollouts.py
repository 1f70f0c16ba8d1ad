"""Carries out a rollout: sends the model wave by wave and follows what the nodes report."""

import asyncio
from collections.abc import Sequence
from typing import Any

from leakear.dashboard.broker.commander import Commander
from leakear.dashboard.deploy.rollout import SENDING, WAITING, Outcome, Rollout, Target
from leakear.dashboard.fleet import ASLEEP, Fleet, Key
from leakear.edge.errors import InputDataError
from leakear.edge.messages.reports import ModelRef
from leakear.edge.messages.requests import PART_BYTES, model_parts
from leakear.edge.messages.results import ModelResult

AT_ONCE = 5
"""nodes that are sent to at a time"""
BURST, PAUSE_S = 15, 0.6
"""parts that a node takes in a row, and s between the parts of a larger model: its `commands.burst` and `per_second`"""
TRIES = 3
"""times that a part is sent before the node is given up: a part that comes twice does no harm"""
SLEEPS = "The node sleeps: it gets the model when it listens again."


class Rollouts:
    """The rollout of this dashboard; there is one at a time. It is not continued when the dashboard restarts."""

    def __init__(self, fleet: Fleet, commander: Commander) -> None:
        self._fleet, self._commander = fleet, commander
        self.current: Rollout | None = None

    def start(self, rollout: Rollout) -> None:
        """Begin. Raises InputDataError while another one is on its way."""
        if self.current is not None and not self.current.over:
            raise InputDataError("Another model is on its way: stop it first.")
        self.current = rollout

    def stop(self, who: str) -> None:
        """Send the model to no further node; those that have it keep it."""
        if self.current is not None and not self.current.over:
            self.current.stopped = f"stopped by {who}"

    async def step(self) -> None:
        """Do what is due now; called every few seconds."""
        rollout = self.current
        if rollout is None:
            return
        for target in rollout.targets:
            node = self._fleet.get(target.key)
            if node is not None and node.report is not None:
                rollout.reported(target, node.report)
        awake: list[Target] = []
        for target in rollout.due():
            target.says = SLEEPS if self._sleeps(target.key) else ""
            if not target.says:
                awake.append(target)
        for target in (due := awake[:AT_ONCE]):
            target.status = SENDING
        await asyncio.gather(*[self._send(rollout, target) for target in due])

    def _sleeps(self, key: Key) -> bool:
        node = self._fleet.get(key)
        return node is not None and node.presence == ASLEEP

    async def roll_back(self, keys: Sequence[Key], to: str | None) -> list[dict[str, Any]]:
        """Ask nodes to use a model again that was in use there; return what became of each."""
        if self.current is not None and not self.current.over:
            self.current.stopped = "a rollback was asked for"
        outcome, values = Outcome(), {"action": "rollback", **({"to": to} if to else {})}
        for start in range(0, len(keys), AT_ONCE):
            await asyncio.gather(*[self._roll_back(outcome, key, values) for key in keys[start : start + AT_ONCE]])
        return outcome.rows

    async def _roll_back(self, outcome: Outcome, key: Key, values: dict[str, Any]) -> None:
        try:
            answer = await self._commander.ask(key, "model", values)
            model = ModelResult.from_json(answer.result).model if answer.ok else None
        except InputDataError as error:
            outcome.add(key, ok=False, says=str(error))
            return
        outcome.add(key, ok=answer.ok, says=(model.id if model else "") if answer.ok else answer.error or "")

    async def _send(self, rollout: Rollout, target: Target) -> None:
        pause_s = PAUSE_S if len(rollout.data) > BURST * PART_BYTES else 0.0
        model: ModelRef | None = None
        try:
            for values in model_parts(rollout.data, trial=rollout.trial):
                model = await self._part(target.key, values)
                await asyncio.sleep(pause_s)
        except InputDataError as error:
            if self._sleeps(target.key):  # it was sent to sleep meanwhile
                target.status = WAITING
            else:
                rollout.failed(target, str(error))
        else:
            rollout.took(target, model)

    async def _part(self, key: Key, values: dict[str, Any]) -> ModelRef | None:
        """Send one part; return the model once the node has all of it. Raises InputDataError with the reason."""
        for left in reversed(range(TRIES)):
            try:
                answer = await self._commander.ask(key, "model", values)
            except InputDataError:
                if not left:
                    raise
                continue
            if not answer.ok:
                raise InputDataError(answer.error or "The node refuses it.")
            return ModelResult.from_json(answer.result).model
        raise AssertionError
