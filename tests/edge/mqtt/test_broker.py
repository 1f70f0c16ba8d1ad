"""The broker helper itself: what the delivery tests rely on."""

import time

from tests.support.broker import Broker, Subscriber


def test_messages_are_collected(broker: Broker) -> None:
    with Subscriber(broker, "a/#") as seen:
        seen.publish("a/b", {"n": 1})
        seen.publish("c", b"not subscribed")
        seen.publish("a/c", b"x", qos=0)
        assert [m.topic for m in seen.wait(2)] == ["a/b", "a/c"]
        assert seen.on("a/b")[0].json == {"n": 1}


def test_guide_settings_keep_an_acknowledged_message_over_a_power_cut() -> None:
    with Broker(persistence=True) as broker:
        with Subscriber(broker, "kept/#", client_id="sleeper"):
            pass
        with Subscriber(broker, "none", client_id="sender") as sender:
            sender.publish("kept/1", b"one")
        time.sleep(0.5)  # mosquitto acknowledges first and saves a moment later
        broker.kill()
        broker.start()
        with Subscriber(broker, "kept/#", client_id="sleeper") as seen:
            assert seen.wait(1)[0].payload == b"one"


def test_passwords_and_acl() -> None:
    with (
        Broker(
            passwords={"n1": "secret", "s": "s"}, acl="user s\ntopic read #\n\npattern write leakear/+/%u/#\n"
        ) as broker,
        Subscriber(broker, user="s", password="s") as seen,
        Subscriber(broker, "x", user="n1", password="secret") as node,
    ):
        node.publish("leakear/site/n2/event", b"denied")
        node.publish("leakear/site/n1/event", b"allowed")
        assert [m.payload for m in seen.wait(1)] == [b"allowed"]
