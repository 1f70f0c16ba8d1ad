"""kill -9 at every write of a model's way through a node: it listens again, no event is lost, the way goes on."""

import contextlib
import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from leakear.edge.messages.reports import Event, State
from leakear.edge.messages.requests import model_parts
from tests.edge.remote.test_model_update import OLD_ID, SECOND, configured
from tests.support import killed_node
from tests.support.broker import Broker, Subscriber

__all__ = ["configured"]

WRITES = 10
"""the model file; staged, on trial, told; in use, told; confirmed, told; in use again, told"""


class Operator:
    """Somebody with a dashboard."""

    def __init__(self, broker: Broker) -> None:
        self.seen = Subscriber(broker, "leakear/#")
        self._ids = itertools.count()

    def send(self, name: str, wait_s: float = 3, **body: Any) -> dict[str, Any] | None:
        """Ask and give the answer; None: there is none (the node may be dead)."""
        request = f"r{next(self._ids)}"
        self.seen.publish(f"leakear/hill/pit-7/cmd/{name}", json.dumps({"id": request, **body}))
        with contextlib.suppress(AssertionError):
            answer: dict[str, Any] = self.seen.wait_for(lambda: self._answer(name, request), "answer", wait_s)
            return answer
        return None

    def _answer(self, name: str, request: str) -> dict[str, Any] | None:
        found = [message.json for message in self.seen.on(f"leakear/hill/pit-7/cmd/{name}/result")]
        return next((answer for answer in found if answer["id"] == request), None)

    @property
    def model(self) -> str:
        """Id of the model in use, as the node says."""
        states = [message for message in self.seen.on("leakear/hill/pit-7/state") if message.payload]
        return State.from_json(states[-1].payload).model.id if states else ""

    @property
    def events(self) -> dict[int, Event]:
        """Events by their number."""
        found = [Event.from_json(message.payload) for message in self.seen.on("leakear/hill/pit-7/event")]
        return {event.seq: event for event in found}


@contextmanager
def node(broker: Broker, folder: Path, model: dict[str, Any], fatal: int = 0, when: str = "") -> Iterator[Any]:
    """Run the real node in a process that dies at the fatal write."""
    sections = json.dumps({"model": model, "commands": {"burst": 1000, "per_second": 100}})
    command = [sys.executable, killed_node.__file__, str(fatal), when, str(broker.port), str(folder), sections]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def until(done: Callable[[], Any], process: subprocess.Popen[bytes] | None = None, limit_s: float = 30) -> bool:
    """Wait until something is true (True), or the process is dead (False)."""
    deadline = time.monotonic() + limit_s
    while not done():
        if process is not None and process.poll() is not None:
            return False
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)
    return True


def bring(operator: Operator, process: Any) -> None:
    """Send the bundle until it is on trial or in use, or the node is dead; a person would try again."""
    online = lambda: operator.send("identify", 0.5) is not None  # noqa: E731
    if not until(online, process):
        return
    state = operator.send("status")
    known = state and state["result"]["state"]
    if not known or known["model_trial"] or known["model"]["id"] == "second":
        return
    for part in model_parts(SECOND):
        operator.send("model", 1, **part)
        if process.poll() is not None:
            return


def go_all_the_way(operator: Operator, process: Any) -> bool:
    """Bring a model, wait for its trial and its confirmation, and return to the one before; False: the node died."""
    bring(operator, process)
    told = lambda words: lambda: any(words in event.reason for event in list(operator.events.values()))  # noqa: E731
    back = told("in use again instead of second")
    if not until(lambda: operator.model == "second" or back(), process):
        return False
    if not until(lambda: told("second is confirmed")() or back(), process):
        return False
    if not back():
        operator.send("model", action="rollback")
    return until(back, process) and until(lambda: operator.model == OLD_ID, process)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fatal", range(1, WRITES + 1))
def test_a_power_cut_at_any_write_leaves_a_node_that_listens_and_tells_all(
    tmp_path: Path, configured: dict[str, Any], fatal: int, when: str
) -> None:
    with Broker(persistence=True) as broker:
        operator = Operator(broker)
        with operator.seen:
            with node(broker, tmp_path, configured, fatal, when) as process:
                go_all_the_way(operator, process)
                assert process.wait(10) == -signal.SIGKILL, f"write {fatal} never came"
            with node(broker, tmp_path, configured) as process:
                assert go_all_the_way(operator, process)
        said = operator.events
        assert sorted(said) == list(range(1, max(said) + 1)), "no event is missing"
        reasons = " ".join(said[number].reason for number in sorted(said))
        for words in ("is on trial for", "has passed its trial", "second is confirmed", "in use again instead of"):
            assert words in reasons
