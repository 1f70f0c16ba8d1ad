"""A rollout: waves, what the nodes report, and when it stops."""

import asyncio
import time
from dataclasses import replace

import pytest

from leakear.dashboard.broker.answers import NoAnswer
from leakear.dashboard.broker.commander import Commander
from leakear.dashboard.deploy.rollout import FAILED, IN_USE, SENDING, TRIAL, WAITING, Rollout, waves
from leakear.dashboard.deploy.rollouts import SLEEPS, TRIES, Rollouts
from leakear.dashboard.fleet import Fleet, Key
from leakear.edge.messages.reports import CommandResult, Identity, ModelRef, ModelTrial, State, utc_text
from leakear.edge.messages.results import ModelResult

NEW, OLD = ModelRef(id="new", sha256="1" * 64), ModelRef(id="old", sha256="0" * 64)
UNTIL = utc_text(1.8e9)


def report(model: ModelRef, trial: ModelTrial | None = None) -> State:
    return State(
        site="hill", node="pit", state="OK", since=UNTIL, score=None, level_dbfs=None, noise_floor_dbfs=None, faults=(),
        threshold=0.5, muted_until=None, model=model, model_trial=trial, firmware="1", window_end=None, window_s=10,
        step_s=10, clock_synced=True, seq=0, queue_depth=0,
    )  # fmt: skip


ON_TRIAL = report(OLD, ModelTrial(model=NEW, beside=OLD, decides=False, until=UNTIL))
WATCHED = report(NEW, ModelTrial(model=NEW, beside=OLD, decides=True, until=UNTIL))


@pytest.fixture
def rollout() -> Rollout:
    return Rollout.of("anna", b"", [("hill", f"pit-{number}") for number in range(12)], careful=True, trial=True)


def test_one_node_then_a_tenth_then_the_rest() -> None:
    assert list(waves(25, careful=True)) == [0, 1, 1, *[2] * 22]
    assert list(waves(3, careful=True)) == [0, 1, 2]
    assert list(waves(1, careful=True)) == [0]
    assert list(waves(3, careful=False)) == [0, 0, 0]


def test_the_next_wave_begins_when_the_last_one_uses_the_model(rollout: Rollout) -> None:
    (first,) = rollout.due()
    first.status = SENDING
    assert rollout.due() == []
    rollout.took(first, NEW)
    rollout.reported(first, report(OLD))
    assert (first.status, rollout.due(), rollout.stopped) == (TRIAL, [], None), "its state may come later"
    rollout.reported(first, ON_TRIAL)
    assert (first.status, first.until) == (TRIAL, UNTIL)
    rollout.reported(first, WATCHED)
    assert first.status == IN_USE
    assert [target.key for target in rollout.due()] == [("hill", "pit-1")]
    assert not rollout.over


@pytest.mark.parametrize(("before", "says"), [(ON_TRIAL, "did not pass its trial"), (WATCHED, "was taken back")])
def test_it_stops_when_a_node_does_not_keep_the_model(rollout: Rollout, before: State, says: str) -> None:
    (first,) = rollout.due()
    rollout.took(first, NEW)
    rollout.reported(first, before)
    rollout.reported(first, report(OLD))
    assert first.status == FAILED
    assert says in str(rollout.stopped)
    assert (rollout.due(), rollout.over) == ([], True)
    assert {target.status for target in rollout.targets[1:]} == {WAITING}


def test_another_model_of_the_same_network_is_not_the_one(rollout: Rollout) -> None:
    (first,) = rollout.due()
    rollout.took(first, NEW)
    rollout.reported(first, report(replace(NEW, id="other")))
    assert first.status == TRIAL


class Answering(Commander):
    """Stands where broker and node are: the node falls asleep before it answers, and then answers what it is asked."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.asked = fleet, 0

    async def ask(self, key: Key, *_: object) -> CommandResult:
        """Answer, but not the first part."""
        self.asked += 1
        if self.asked == 1:
            self.fleet.take(Identity(*key), asleep(), time.time())
        if self.asked <= TRIES:
            raise NoAnswer("The node gave no answer within 15 s.")
        return CommandResult(
            id="1", ok=True, result=ModelResult(stage="trial", next_part=1, parts=1, model=NEW).to_dict()
        )


def asleep() -> State:
    return replace(report(OLD), asleep_until=utc_text(time.time() + 3600))


def test_a_node_that_sleeps_gets_the_model_when_it_listens_again() -> None:
    fleet, who = Fleet(), Identity("hill", "pit-0")
    commander = Answering(fleet)
    rollouts = Rollouts(fleet, commander)
    rollout = Rollout.of("anna", b"model", [("hill", "pit-0"), ("hill", "pit-1")], careful=True, trial=True)
    rollouts.start(rollout)
    first = rollout.targets[0]
    fleet.take(who, report(OLD), time.time())
    for _ in range(2):
        asyncio.run(rollouts.step())
        assert (first.status, rollout.stopped, rollout.over, commander.asked) == (WAITING, None, False, TRIES)
    assert first.says == SLEEPS
    fleet.take(who, report(OLD), time.time())
    asyncio.run(rollouts.step())
    assert (first.status, first.says) == (TRIAL, "")
