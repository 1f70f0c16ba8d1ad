"""Commands to nodes and their answers, matched by the request's id."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from leakear.dashboard.broker.answers import ANSWERS, Answers, NoAnswer, Waiting
from leakear.dashboard.fleet import Key
from leakear.edge.messages.reports import CommandResult, Identity

ANSWER_S = 15.0
"""seconds to wait for an answer"""
Publish = Callable[[str, bytes], bool]


class Commander:
    """Sends commands and waits for answers. `publish(topic, payload)` returns False without a connection."""

    def __init__(self, publish: Publish, answers: Answers) -> None:
        self._publish = publish
        self._answers = answers

    async def ask(self, key: Key, name: str, values: dict[str, Any], wait_s: float = ANSWER_S) -> CommandResult:
        """Send a command and return its answer; NoAnswer gives the reason when there is none."""
        async with self._sent(key, name, values) as waits:
            return await self._next(waits, wait_s)

    async def ask_all(
        self, key: Key, name: str, values: dict[str, Any], enough: Callable[[CommandResult], bool]
    ) -> None:
        """Send a command and pass its answers to `enough` until that returns True.

        Raises NoAnswer, also for a node that sends more than ANSWERS. Everything else takes its turn after each answer.
        """
        async with self._sent(key, name, values) as waits:
            for _ in range(ANSWERS):
                if enough(await self._next(waits, ANSWER_S)):
                    return
                await asyncio.sleep(0)
            raise NoAnswer(f"The node sent {ANSWERS} answers, and they are not all that was asked for.")

    @asynccontextmanager
    async def _sent(self, key: Key, name: str, values: dict[str, Any]) -> AsyncIterator[Waiting]:
        request = secrets.token_hex(8)
        async with self._answers.waiting(key, request) as waits:
            topic = Identity(*key).topic(f"cmd/{name}")
            if not self._publish(topic, json.dumps({**values, "id": request}).encode()):
                raise NoAnswer("There is no connection to the broker: the command was not sent.")
            yield waits

    @staticmethod
    async def _next(waits: Waiting, wait_s: float) -> CommandResult:
        try:
            return await asyncio.wait_for(waits.next(), wait_s)
        except TimeoutError as error:
            raise NoAnswer(f"The node gave no answer within {wait_s:.0f} s.") from error
