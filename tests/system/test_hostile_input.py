"""The fault suite: what no command topic should ever hold, thousands of times; `make test-faults`."""

import json
import random
import time
from pathlib import Path

import pytest

from tests.support.broker import Broker, Subscriber
from tests.support.faults import EVENTS, STATE, Node, kill

full = pytest.mark.slow
RANDOM = random.Random(4)


def hostile(rng: random.Random) -> bytes:
    """Make something a command topic should never hold."""
    deep = b'{"id":' * 5000
    kinds = [
        lambda: rng.randbytes(rng.randrange(2000)),
        lambda: rng.randbytes(150_000),  # larger than any command may be
        lambda: deep,
        lambda: b'{"id":"' + b"x" * rng.randrange(100_000) + b'"}',
        lambda: json.dumps({"id": "1", "threshold": rng.choice([1e308, -1, "0.5", None, [], True])}).encode(),
        lambda: json.dumps({"id": "1", "step_s": rng.choice([0, -5, 1e-9, 1e12])}).encode(),
        lambda: json.dumps({"id": "1", "event_id": "../../etc/passwd"}).encode(),
        lambda: json.dumps({"id": "1", "part": 0, "parts": 10**9, "data": "QUFB", "sha256": "0" * 64}).encode(),
        lambda: b'{"id":NaN,"schema":' + b"9" * 4000 + b"}",
    ]
    return rng.choice(kinds)()


def rss_mb(pid: int) -> float:
    """Resident memory, MB."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(fields["VmRSS"].split()[0]) / 1024


@pytest.mark.parametrize("count", [400, pytest.param(12_000, marks=full)])
@pytest.mark.timeout(900)
def test_hostile_input_on_every_command_topic(tmp_path: Path, broker: Broker, count: int) -> None:
    node = Node(tmp_path, broker)
    names = ("identify", "status", "set", "clip", "calibrate", "selftest", "model", "watch", "nonsense", "a/b")
    with Subscriber(broker, EVENTS, STATE, "leakear/site/n1/cmd/+/result") as seen, Subscriber(broker, "-") as flood:
        process = node.replay(speed=50, repeat=10_000)
        seen.wait(10, EVENTS)
        threshold = seen.on(STATE)[-1].json["threshold"]
        for index in range(count // 4):  # warm: code and buffers are there
            flood.client.publish(f"leakear/site/n1/cmd/{names[index % len(names)]}", hostile(RANDOM), index % 2)
        time.sleep(2)
        before = rss_mb(process.pid)
        for index in range(count):
            flood.client.publish(f"leakear/site/n1/cmd/{names[index % len(names)]}", hostile(RANDOM), index % 2)
            if index % 200 == 199:
                flood.publish("leakear/site/n1/cmd/clip", b"{}")  # waits until all before it is through
        seen.publish("leakear/site/n1/cmd/identify", {"id": "sentinel"})
        time.sleep(4)  # the rate limit is a bucket that fills again
        for attempt in range(10):
            seen.publish("leakear/site/n1/cmd/status", {"id": f"after-{attempt}"})
            time.sleep(1)
            answers = [m.json for m in seen.on("leakear/site/n1/cmd/status/result")]
            good = [a for a in answers if a["ok"] and a["id"].startswith("after-")]
            if good:
                break
        assert good, "the node no longer answers"
        after = rss_mb(process.pid)
        refused = good[-1]["result"]["commands_refused"]
        assert process.poll() is None
        kill(process)
        assert seen.on(STATE)[-1].json["threshold"] == threshold
        accepted = [m.json for m in seen.on("leakear/site/n1/cmd/+/result") if m.json["ok"]]
        assert all(a["id"] == "sentinel" or a["id"].startswith("after-") or a["id"] == "1" for a in accepted)
        print(
            f"\nhostile input: {count + count // 4} payloads on {len(names)} topics, refused {refused}, others by size;"
            f" RSS {before:.1f} → {after:.1f} MB, events meanwhile {len(seen.on(EVENTS))}"
        )
        assert after - before < 8
