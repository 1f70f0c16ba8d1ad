"""What the virtual node is doing while its power may go: another version, or another model."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.edge.remote.test_model_update import made
from tests.support.broker import Broker, Subscriber
from tests.system.vm.power.guest import OUTSIDE, Guest

EVENTS = "leakear/vm/ear/event"
MEAN_S = 6.0
"""s between two moments on average"""
WORK_S = 1200.0
"""s for the whole work, before the test gives up"""
OUTAGE_S = 30.0
"""s that the broker is away, and there again, while versions change: so that events wait when the power goes"""


@dataclass
class Moment:
    """The machine as a power cut would have left it."""

    image: Path
    after_s: float
    """s after the work began"""
    doing: str
    events: list[dict[str, Any]]
    """what the broker had got by then"""


@dataclass
class Moments:
    """Keeps `count` of all moments, each with the same chance, however many there will be."""

    count: int
    dice: random.Random
    kept: list[Moment] = field(default_factory=list)
    seen: int = 0

    def offer(self, make: Callable[[], Moment]) -> None:
        """Take a moment, perhaps in the place of one that is kept."""
        self.seen += 1
        if len(self.kept) < self.count:
            self.kept.append(make())
            return
        place = self.dice.randrange(self.seen)
        if place < self.count:
            self.kept[place].image.unlink()
            self.kept[place] = make()


def record(disk: Path, place: Path, work: str, count: int, seed: int, port: int) -> Moments:
    """Let the work run once and keep the machine at `count` random moments of its whole length."""
    dice = random.Random(seed)
    moments = Moments(count, dice)
    with (
        Broker(persistence=True, host=OUTSIDE, port=port) as broker,
        Subscriber(broker, "leakear/#", "power/#") as heard,
    ):
        guest = Guest(disk, place / f"{work}.cow", work)
        try:
            guest.wait("LISTENS")
            began = time.monotonic()
            acting = _Acting(work, broker, heard, guest)
            while not acting.done and time.monotonic() < began + WORK_S:
                time.sleep(dice.expovariate(1 / MEAN_S))
                target = place / f"{work}-{moments.seen}.cow"
                moments.offer(lambda target=target: _moment(guest, target, began, acting.doing(), heard))  # type: ignore[misc]
            acting.check()
            same = guest.same_as_killed(place / "killed.cow")
        finally:
            guest.cut()
    length = time.monotonic() - began
    print(f"{work}: {length:.0f} s of work, {moments.seen} moments, {len(moments.kept)} of them drawn (seed {seed}); "
          f"disk after SIGKILL is the copy before it: {same}", flush=True)  # fmt: skip
    assert same
    moments.kept.sort(key=lambda moment: moment.after_s)
    return moments


def _moment(guest: Guest, target: Path, began: float, doing: str, heard: Subscriber) -> Moment:
    at = guest.snapshot(target)
    events = [message.json for message in heard.on(EVENTS) if message.at <= at]
    return Moment(target, at - began, doing, events)


class _Acting:
    """The work, in a thread: what the operator does outside."""

    def __init__(self, work: str, broker: Broker, heard: Subscriber, guest: Guest) -> None:
        self._broker, self._heard, self._guest = broker, heard, guest
        self._step, self._error = "", ""
        self.done = False
        steps = self._software if work == "software" else self._model
        self._thread = threading.Thread(target=self._run, args=(steps,), daemon=True)
        self._thread.start()

    def doing(self) -> str:
        """Return what is going on."""
        inside = self._guest.said("STEP")
        return inside[-1][0] if inside else self._step

    def check(self) -> None:
        """Raise AssertionError unless the work went as it should."""
        failed = self._guest.said("FAILED")
        assert self.done, "the work did not end:\n" + "\n".join(self._guest.lines[-30:])
        assert (self._error, failed) == ("", []), f"{self._error} {failed}"

    def _run(self, steps: Callable[[], None]) -> None:
        try:
            steps()
        except (AssertionError, subprocess.CalledProcessError) as error:
            self._error = str(error) + self._journal()
        self.done = True

    def _software(self) -> None:
        away = False
        while not self._guest.said("DONE") and self._guest.process.poll() is None:
            (self._broker.start if away else self._broker.stop)()
            away = not away
            end = time.monotonic() + OUTAGE_S
            while time.monotonic() < end and not self._guest.said("DONE"):
                time.sleep(0.5)
        if away:
            self._broker.start()

    def _model(self) -> None:
        folder = self._guest.image.parent
        self._step = "a bad model is sent from afar, on trial"
        self._deploy(folder, "deafening", 3, 1e-9)
        self._until("did not pass its trial")
        self._step = "a bad model decides; rolled back on site"
        self._deploy(folder, "worse", 4, 1e-9, "--no-trial")
        time.sleep(8)
        self._inside("rollback")
        self._until("in use again", 1)
        self._step = "a bad model decides; rolled back from afar"
        self._deploy(folder, "worst", 5, 1e-9, "--no-trial")
        time.sleep(8)
        self._command("rollback")
        self._until("in use again", 2)
        self._step = "a deaf model is sent from afar, on trial"
        self._deploy(folder, "deaf", 6, 1 - 1e-9)
        self._until("has passed its trial")
        self._step = "a deaf model decides; taken back by the guard"
        self._inside("loud")
        self._until("was taken back")
        self._step = "the good model decides again"
        time.sleep(10)

    def _deploy(self, folder: Path, name: str, day: int, threshold: float, *how: str) -> None:
        path = folder / f"{name}.tflite"
        path.write_bytes(made(name, f"2026-12-{day:02}T00:00:00Z", threshold=threshold))
        self._command("deploy", str(path), *how)

    def _command(self, *words: str) -> None:
        where = ["--to", "vm/ear", "--broker", f"mqtt://{self._broker.host}:{self._broker.port}", "--wait", "60"]
        command = [sys.executable, "-m", "leakear.edge.cli", *words, *where]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"

    def _journal(self) -> str:
        """Return what the node has logged, where somebody inside can be asked."""
        if self._guest.said("STEP"):
            return ""
        before = len(self._guest.lines)
        with suppress(AssertionError):
            self._inside("journal")
        return "\n" + "\n".join(self._guest.lines[before:])

    def _inside(self, word: str) -> None:
        """Let somebody on site do it."""
        before = len(self._guest.said("DID"))
        self._heard.publish("power/do", word)
        self._guest.wait("DID", 180, before + 1)

    def _until(self, words: str, times: int = 1) -> None:
        """Wait until so many events say it."""
        self._heard.wait_for(
            lambda: sum(words.encode() in event.payload for event in self._heard.on(EVENTS)) >= times, words, 400
        )
