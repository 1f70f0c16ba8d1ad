"""Commands to nodes and their answers, matched by the request's id."""

import asyncio
import json
import secrets
from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import Any

from leakear.dashboard.fleet import Key
from leakear.edge.errors import InputDataError
from leakear.edge.messages.reports import COMMANDS, CommandResult, Identity

ANSWER_S = 15.0
"""seconds to wait for an answer"""
Answers = asyncio.Queue[CommandResult]
Publish = Callable[[str, bytes], bool]


class NoAnswer(InputDataError):  # noqa: N818 - it is an expected result, not a failure
    """The command could not be sent, or its answer did not come."""


class Commander:
    """Sends commands and waits for answers. `publish(topic, payload)` returns False without a connection."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._waiting: dict[tuple[Key, str], Answers] = {}

    async def ask(self, key: Key, name: str, values: dict[str, Any], wait_s: float = ANSWER_S) -> CommandResult:
        """Send a command and return its answer; NoAnswer gives the reason when there is none."""
        with self._sent(key, name, values) as answers:
            return await self._next(answers, wait_s)

    async def ask_all(
        self, key: Key, name: str, values: dict[str, Any], enough: Callable[[CommandResult], bool]
    ) -> None:
        """Send a command and pass its answers to `enough` until that returns True."""
        with self._sent(key, name, values) as answers:
            while not enough(await self._next(answers, ANSWER_S)):
                pass

    def answered(self, who: Identity, result: CommandResult) -> None:
        """Pass an answer to the request that waits for it; ignore answers to requests of others."""
        queue = self._waiting.get(((who.site, who.node), result.id))
        if queue is not None:
            with suppress(asyncio.QueueFull):
                queue.put_nowait(result)

    @contextmanager
    def _sent(self, key: Key, name: str, values: dict[str, Any]) -> Any:
        if name not in COMMANDS:
            raise InputDataError(f"There is no command {name!a}: use {', '.join(COMMANDS)}.")
        request = secrets.token_hex(8)
        answers: Answers = asyncio.Queue(1000)
        self._waiting[key, request] = answers
        try:
            topic = Identity(*key).topic(f"cmd/{name}")
            if not self._publish(topic, json.dumps({"id": request, **values}).encode()):
                raise NoAnswer("There is no connection to the broker: the command was not sent.")
            yield answers
        finally:
            del self._waiting[key, request]

    @staticmethod
    async def _next(answers: Answers, wait_s: float) -> CommandResult:
        try:
            return await asyncio.wait_for(answers.get(), wait_s)
        except TimeoutError as error:
            raise NoAnswer(f"The node gave no answer within {wait_s:.0f} s.") from error
