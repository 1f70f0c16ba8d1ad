"""Backoff: waits double up to a limit, are random, and are longer after a refusal."""

import random

import pytest

from leakear.edge.mqtt.refusals.backoff import HOLD_LAST_S, Backoff, RefusedTopics


@pytest.fixture
def longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every wait be the longest of its range."""
    monkeypatch.setattr(random, "uniform", lambda _low, high: high)


def test_a_wait_lies_between_half_and_the_whole() -> None:
    waits = [Backoff(10, 100, 50).wait(refused=False, lasted_s=0) for _ in range(300)]
    assert 5 <= min(waits) < 5.5
    assert 9.5 < max(waits) <= 10


@pytest.mark.usefixtures("longest")
def test_waits_double_up_to_the_last() -> None:
    backoff = Backoff(1, 6, 2)
    assert [backoff.wait(refused=False, lasted_s=0) for _ in range(5)] == [1, 2, 4, 6, 6]


@pytest.mark.usefixtures("longest")
def test_a_refusal_waits_at_least_its_own_time() -> None:
    backoff = Backoff(1, 6, 20)
    assert [backoff.wait(refused=True, lasted_s=0) for _ in range(3)] == [20, 20, 20]


@pytest.mark.usefixtures("longest")
@pytest.mark.parametrize(("lasted_s", "wait"), [(8.0, 4), (8.1, 1)])
def test_only_a_connection_that_held_twice_the_wait_starts_again(lasted_s: float, wait: float) -> None:
    backoff = Backoff(1, 100, 2)
    assert [backoff.wait(refused=False, lasted_s=0) for _ in range(2)] == [1, 2]
    assert backoff.wait(refused=False, lasted_s=lasted_s) == wait


def test_a_refused_topic_is_held_for_a_doubling_time() -> None:
    topics = RefusedTopics(10)
    assert not topics.is_held("a", 0)
    for wait in (10, 20, 40):
        topics.hold("a", "not allowed", 1000)
        assert topics.is_held("a", 1000 + wait - 0.1)
        assert not topics.is_held("a", 1000 + wait)
    assert topics.sentences == {"a": "not allowed"}
    assert not topics.is_held("b", 1000)


@pytest.mark.parametrize(("first_s", "longest_s"), [(10, HOLD_LAST_S), (2 * HOLD_LAST_S, 2 * HOLD_LAST_S)])
def test_a_topic_is_held_an_hour_at_the_most(first_s: float, longest_s: float) -> None:
    topics = RefusedTopics(first_s)
    for _ in range(20):
        topics.hold("a", "not allowed", 0)
    assert topics.is_held("a", longest_s - 1)
    assert not topics.is_held("a", longest_s)


def test_a_released_topic_starts_again() -> None:
    topics = RefusedTopics(10)
    topics.hold("a", "not allowed", 0)
    topics.hold("a", "not allowed", 0)
    topics.release("a")
    topics.release("b")
    assert (topics.sentences, topics.is_held("a", 0)) == ({}, False)
    topics.hold("a", "not allowed", 0)
    assert not topics.is_held("a", 10)
