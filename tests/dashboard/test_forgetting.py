"""A node taken out of service: what the broker still has of it brings it back into no dashboard."""

import json
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leakear.dashboard.fleet import Fleet
from leakear.dashboard.history import History, presence_row
from leakear.dashboard.history.rows import LOST
from leakear.dashboard.i18n import texts
from leakear.edge.messages.discovery import discovery_topic
from leakear.edge.messages.reports import Availability, Identity
from tests.dashboard.test_fleet import NOW, WHO, happening, report
from tests.support.broker import Broker, Subscriber
from tests.support.harness import Browser, Dashboard, FakeNode, until
from tests.support.shipped_broker import ShippedBroker

KEY = (WHO.site, WHO.node)
PATH = "/api/nodes/hill/n1/forget"


def test_what_is_retained_adds_no_forgotten_node() -> None:
    fleet = Fleet()
    fleet.take(WHO, report(), NOW)
    fleet.forget(KEY)
    assert fleet.take(WHO, report(), NOW, retained=True) is None
    assert fleet.take(WHO, Availability.ONLINE, NOW, retained=True) is None
    assert fleet.take(WHO, Availability.OFFLINE, NOW) is None, "its last will, when it was forgotten while it ran"
    assert not len(fleet)
    assert not fleet.refused
    assert fleet.take(WHO, happening(5, "LEAK"), NOW) is not None
    assert fleet.take(WHO, report(), NOW, retained=True) is not None, "it is back"


def test_who_was_never_there_cannot_be_forgotten() -> None:
    fleet = Fleet()
    assert fleet.forget(KEY) is None
    assert fleet.take(WHO, report(), NOW, retained=True) is not None


def test_the_loss_of_a_forgotten_node_is_no_loss_of_the_one_that_came_back(engine: Any) -> None:
    """The next loss was told to nobody, when the dashboard had been started again."""
    history, fleet = History(engine), Fleet()
    node = fleet.take(WHO, report(), NOW)
    assert node is not None
    history.save_nodes(fleet, NOW)
    history.record([presence_row(node, LOST, "The node is silent.", NOW + 600)])
    assert history.reported_lost() == {KEY}
    fleet.forget(KEY)
    history.forget_node(KEY, NOW + 1000)
    back = fleet.take(WHO, report(), NOW + 2000)
    assert back is not None
    history.save_nodes(fleet, NOW + 2000)
    assert history.reported_lost() == set()
    history.record([presence_row(back, LOST, "The node is silent.", NOW + 3000)])
    assert history.reported_lost() == {KEY}


def test_what_was_forgotten_is_known_after_a_restart(engine: Any) -> None:
    history, fleet = History(engine), Fleet()
    node = fleet.take(WHO, report(), NOW)
    history.save_nodes(fleet, NOW)
    for now in (NOW + 1, NOW + 2):
        history.forget_node(KEY, now)
    assert node is not None
    history.save_nodes([node], NOW)  # the thread of the minute still had it
    again = Fleet()
    history.restore(again)
    assert not len(again)
    assert again.take(WHO, report(), NOW, retained=True) is None
    again.take(WHO, report(), NOW + 3)
    history.save_nodes(again, NOW + 3)
    last = Fleet()
    history.restore(last)
    assert not last.forgotten
    assert last.get(KEY) is not None


def post(made: Dashboard, path: str) -> dict[str, Any]:
    request = urllib.request.Request(made.url + path, b"{}", {"Content-Type": "application/json", "Origin": made.url})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.load(answer))


def is_known(made: Dashboard) -> bool:
    return made.get("/api/nodes/hill/n1/history")["recent"] is not None


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_node_stays_away_where_the_shipped_broker_refuses_to_delete(tmp_path: Path, version: str) -> None:
    word = tmp_path / "word"
    with ShippedBroker() as broker, broker.as_node("hill.n1") as node:
        word.write_text(broker.words["operator"])
        word.chmod(0o600)
        node.client.publish("leakear/hill/n1/availability", b"online", 1, retain=True).wait_for_publish(10)
        speak(node.client, retain=True)
        given = ("--username", "operator", "--password-file", str(word), "--mqtt-version", version)
        url = f"mqtt://127.0.0.1:{broker.watchers_port}"
        with Dashboard(url, tmp_path, *given) as made:
            made.ready()
            until(lambda: is_known(made), "the node")
            assert post(made, PATH) == {"ok": True, "cleared": False}
            assert not is_known(made)
            broker.kill()
            broker.start()
            made.until("/api/me", lambda me: me["line"]["connected"])
            time.sleep(1)
            assert not is_known(made), "the broker has sent its retained messages again"
        with Dashboard(url, tmp_path, *given) as made:
            made.ready()
            time.sleep(1)
            assert not is_known(made)
            until(node.client.is_connected, "the node's connection")
            speak(node.client, retain=False)
            until(lambda: is_known(made), "the node, back in service")


def speak(client: Any, *, retain: bool) -> None:
    said = replace(report(time.time()), site="hill", node="n1")
    client.publish("leakear/hill/n1/state", said.to_json(), 1, retain=retain).wait_for_publish(10)


def test_where_the_broker_deletes_it_is_said(broker: Broker, tmp_path: Path) -> None:
    with Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path) as made, FakeNode(broker.port, "n1", "hill") as node:
        made.ready()
        node.online()
        node.report()
        until(lambda: is_known(made), "the node")
        topic = discovery_topic(Identity("hill", "n1"))
        node.client.publish(topic, b"{}", 1, retain=True).wait_for_publish(10)
        with Subscriber(broker, topic) as watcher:
            until(lambda: [m.payload for m in watcher.messages] == [b"{}"], "Home Assistant's device")
            assert post(made, PATH) == {"ok": True, "cleared": True}
            assert not is_known(made)
            until(lambda: watcher.messages[-1].payload == b"", "the end of Home Assistant's device")


def test_the_page_says_that_the_broker_kept_them(browser: Browser, tmp_path: Path) -> None:
    refuses = "topic read leakear/#\nuser node\ntopic readwrite leakear/#\n"
    with Broker(passwords={"node": "n", "monitor": "m"}, acl=f"user monitor\n{refuses}") as broker:
        node = Subscriber(broker, "none", user="node", password="n")
        with node, Dashboard(f"mqtt://monitor:m@127.0.0.1:{broker.port}", tmp_path) as made:
            made.ready()
            speak(node.client, retain=True)
            until(lambda: is_known(made), "the node")
            browser.open(made.url + "/node/hill/n1")
            browser.click('[data-command="forget"]')
            browser.text('[data-command="forget"]', texts("en")["forget.sure"])
            browser.click('[data-command="forget"]')
            browser.text('[data-answer="forget"]', texts("en")["forget.kept"])
            assert not is_known(made)
            assert browser.complaints() == []
            browser.open("about:blank")
