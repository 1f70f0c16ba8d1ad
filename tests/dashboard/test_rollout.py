"""A rollout: waves, what the nodes report, and when it stops."""

from dataclasses import replace

import pytest

from leakear.dashboard.deploy.rollout import FAILED, IN_USE, SENDING, TRIAL, WAITING, Rollout, waves
from leakear.edge.messages.reports import ModelRef, ModelTrial, State, utc_text

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
