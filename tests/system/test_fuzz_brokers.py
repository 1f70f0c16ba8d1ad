"""A short leak day to brokers whose limits are drawn at random: every event arrives, whatever the broker refuses."""

import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import Broker, Subscriber
from tests.support.living_node import LEAK, living_node

EVENTS = "leakear/hill/pit-7/event"
SMALLEST = 1100
"""bytes: an event with its topic, and a little more"""
ACL = "topic write leakear/hill/pit-7/#\ntopic read leakear/#\n"


def limits(rng: random.Random) -> tuple[list[str], bool, str]:
    """Lines of mosquitto.conf, whether an access list forbids Home Assistant's topics, and the node's protocol."""
    drawn = {
        "max_packet_size": rng.randint(SMALLEST, 6000),
        "message_size_limit": rng.randint(SMALLEST, 6000),
        "max_inflight_messages": rng.randint(1, 5),
        "max_keepalive": rng.randint(30, 90),
        "max_topic_alias": rng.randint(0, 3),
        "retain_available": "false",
    }
    lines = [f"{key} {value}" for key, value in drawn.items() if rng.random() < 0.4]
    return lines, rng.random() < 0.3, rng.choice(("auto", "5", "3.1.1"))


def leak_day(seed: int, folder: Path) -> str:
    """Hear quiet, a leak, quiet; return what was drawn and what came of it."""
    rng = random.Random(seed)
    lines, forbidden, protocol = limits(rng)
    words: dict[str, Any] = {"passwords": {"n": "p"}, "acl": f"user n\n{ACL}"} if forbidden else {}
    login = {"username": "n", "password": "p"} if forbidden else {}
    mqtt = {"protocol": protocol, "reconnect_first_s": 0.05, "reconnect_last_s": 0.2, "reconnect_refused_s": 2} | login
    who = {"user": "n", "password": "p"} if forbidden else {}
    with (
        Broker(extra="\n".join(lines), **words) as broker,
        Subscriber(broker, EVENTS, **who) as seen,
        living_node(broker, folder, mqtt={"host": broker.host, "port": broker.port} | mqtt) as life,
    ):
        for seconds, level in ((30, None), (150, LEAK), (90, None)):
            life.hear(seconds) if level is None else life.hear(seconds, level)
        last, box = life.node.outbox.last_seq, life.node.outbox
        deadline = time.monotonic() + 60
        while box.depth or box.last_seq > len({m.json["seq"] for m in seen.messages}):
            assert time.monotonic() < deadline, f"seed {seed}: {lines} {protocol}: {box.depth} wait; {life.node.faults}"
            life.node.link.pump()  # type: ignore[union-attr]
            time.sleep(0.005)
        states = [m.json["to"] for m in seen.messages]
        assert "LEAK" in states, f"seed {seed}: {lines}"
        return f"{protocol} {', '.join(lines) or 'no limit'}{', access list' if forbidden else ''}: {last} events"


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("runs", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_every_event_of_a_leak_day_arrives_whatever_the_brokers_limits(tmp_path: Path, runs: int) -> None:
    began = time.monotonic()
    for seed in range(runs):
        print(f"\n{seed}: {leak_day(seed + 1000 * (runs > 4), tmp_path / str(seed))}", end="")
    print(f"\n{runs} leak days, every event arrived, {time.monotonic() - began:.0f} s")
