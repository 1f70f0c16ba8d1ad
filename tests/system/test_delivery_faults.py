"""The fault suite: the real daemon and a real mosquitto are hurt in every way of issue and field; nothing is lost.

The default tests run a few rounds of each; `make test-faults` runs the full counts and prints what was put,
acknowledged and received.
"""

import random
import time
from pathlib import Path

import pytest

from tests.support.broker import Broker, Subscriber
from tests.support.faults import EVENTS, Node, finish, kill, report, wait_for_all
from tests.support.partition import Partition

full = pytest.mark.slow
RANDOM = random.Random(4)


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=full)])
@pytest.mark.timeout(900)
def test_daemon_killed_at_random_moments(tmp_path: Path, durable: Broker, kills: int) -> None:
    node = Node(tmp_path, durable)
    with Subscriber(durable, EVENTS, client_id="watcher") as seen:
        for _ in range(kills):
            process = node.replay(speed=200, repeat=1000)
            before = len(seen.messages)
            seen.wait_for(lambda before=before: len(seen.messages) > before, "event")  # type: ignore[misc]
            time.sleep(RANDOM.uniform(0, 1))
            kill(process)
        assert finish(node, node.replay()) == 0
        last, _, _ = node.outbox_state()
        wait_for_all(last, seen)
        report(f"daemon killed −9 {kills} times", node, seen)


@full
@pytest.mark.timeout(900)
def test_broker_that_saves_every_second_only_killed_at_random_moments(tmp_path: Path) -> None:
    """It has acknowledged what it then loses: the nodes send the last seconds again."""
    with Broker(persistence=True, extra="autosave_on_changes false") as broker:
        node = Node(tmp_path, broker)
        with Subscriber(broker, EVENTS, client_id="watcher") as seen:
            pass  # the session is there before the first event; nobody is at home
        process = node.replay(speed=50, repeat=9)  # outlasts the killing
        for _ in range(10):
            time.sleep(RANDOM.uniform(1.5, 2.5))
            broker.kill()
            broker.start()
        assert finish(node, process, 300) == 0
        time.sleep(2)
        with Subscriber(broker, EVENTS, client_id="watcher") as seen:
            last, _, _ = node.outbox_state()
            wait_for_all(last, seen)
            report("broker that saves once a second killed −9 10 times, watcher away", node, seen)


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=full)])
@pytest.mark.timeout(900)
def test_broker_killed_at_random_moments(tmp_path: Path, durable: Broker, kills: int) -> None:
    node = Node(tmp_path, durable)
    with Subscriber(durable, EVENTS, client_id="watcher") as seen:
        process = node.replay(speed=100, repeat=round(kills * 2.0 * 100 / 300) + 1)
        for _ in range(kills):
            time.sleep(RANDOM.uniform(0.3, 1.5))
            durable.kill()
            time.sleep(RANDOM.uniform(0, 0.5))
            durable.start()
        assert finish(node, process, 300) == 0
        last, _, _ = node.outbox_state()
        wait_for_all(last, seen)
        report(f"broker killed −9 {kills} times", node, seen)


def test_broker_absent_for_the_whole_run_then_there(tmp_path: Path, durable: Broker) -> None:
    durable.stop()
    node = Node(tmp_path, durable)
    process = node.replay(deadline=0.5)
    assert finish(node, process) == 69
    assert "stay in" in node.errors()
    last, waiting, _ = node.outbox_state()
    assert last == waiting >= 29
    durable.start()
    with Subscriber(durable, EVENTS, client_id="watcher") as seen:
        assert finish(node, node.replay()) == 0
        last, _, _ = node.outbox_state()
        wait_for_all(last, seen)
        report("broker absent for a whole run, then there", node, seen)


@pytest.mark.parametrize(
    ("seconds", "half_open"),
    [
        (1, False),
        pytest.param(10, False, marks=full),
        pytest.param(10, True, marks=full),
        pytest.param(300, False, marks=full),
        pytest.param(300, True, marks=full),
    ],
)
@pytest.mark.timeout(900)
def test_network_partition(tmp_path: Path, seconds: int, half_open: bool) -> None:
    with Partition() as network, Broker(persistence=True, host=network.here) as broker:
        node = Node(tmp_path, broker, mqtt={"keepalive_s": 3, "connect_timeout_s": 2})
        node.prefix = ("ip", "netns", "exec", network.name)
        speed = 100  # an event every 0.1 s
        with Subscriber(broker, EVENTS, client_id="watcher") as seen:
            process = node.replay(speed=speed, repeat=round((seconds + 4) * speed / 300) + 1, deadline=300)
            seen.wait(5)
            (network.swallow if half_open else network.pull)()
            time.sleep(seconds)
            (network.let_through if half_open else network.plug)()
            assert finish(node, process, seconds + 420) == 0
            last, _, _ = node.outbox_state()
            wait_for_all(last, seen)
            report(f"partition of {seconds} s{', half-open' if half_open else ''}", node, seen)
