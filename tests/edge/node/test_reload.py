"""SIGHUP: all of a file or nothing of it, and what needs a restart waits for one."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from leakear.edge.errors import ConfigError
from leakear.edge.messages.reports import State
from leakear.edge.settings import Settings
from tests.support.broker import Broker
from tests.support.living_node import BORN, QUIET, Asker, Life, living_node


@pytest.fixture
def life(broker: Broker, tmp_path: Path) -> Iterator[Life]:
    with living_node(broker, tmp_path) as it:
        it.hear(10)
        yield it


def changed(life: Life, **sections: dict[str, Any]) -> Settings:
    """The node's settings with some keys changed."""
    now = life.settings
    rule = {"decision": {**now.decision, **sections.pop("decision", {})}}
    return replace(now, **rule, **{name: replace(getattr(now, name), **keys) for name, keys in sections.items()})


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"mqtt": {"tls": True, "ca_file": "/nope"}}, "mqtt.ca_file"),
        ({"decision": {"span_s": 7200, "clear_s": 1}, "mqtt": {"keepalive_s": 33}}, "clear_s"),
    ],
)
def test_a_file_with_a_mistake_changes_nothing(life: Life, sections: dict[str, dict[str, Any]], words: str) -> None:
    node = life.node
    rule = asdict(node.detector.pipeline.decision.rule)
    fresh = changed(life, **({"decision": {"threshold": 0.97, "span_s": 7200}} | sections))
    with pytest.raises(ConfigError, match=words):
        node.reloader.reload(fresh)
    assert asdict(node.detector.pipeline.decision.rule) == rule
    assert node.reloader.settings == life.settings
    life.hear(10)
    assert node.link is not None
    assert node.link.connected


def test_what_needs_a_restart_waits_for_one_and_is_named_each_time(
    broker: Broker, life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    fresh = changed(life, node={"site": "elsewhere", "name": "other"}, decision={"threshold": 0.97})
    with Asker(broker, life) as asker:
        for _ in range(2):
            caplog.clear()
            with caplog.at_level("INFO"):
                life.node.reloader.reload(fresh)
            assert "restart to apply: node" in caplog.text
        assert asker.ask("set", step_s=5).ok  # speaks anew, and must go on under its own name
        life.hear(10, QUIET)
        said = State.from_json(asker.seen.on("leakear/hill/pit-7/state")[-1].payload)
        assert (said.site, said.node, said.threshold) == ("hill", "pit-7", 0.97)


def test_new_broker_settings_are_taken_up_without_losing_a_window(broker: Broker, life: Life) -> None:
    life.node.reloader.reload(changed(life, mqtt={"client_id": "another"}))
    life.hear(10)
    life.pump_until(lambda: life.node.link is not None and life.node.link.connected, "connection")
    assert "as another" in broker.log
    assert life.node.detector.pipeline.windower.discarded == 0


def test_a_step_set_remotely_survives_a_power_cut(broker: Broker, tmp_path: Path) -> None:
    with living_node(broker, tmp_path) as life:
        life.hear(10)
        with Asker(broker, life) as asker:
            step_s = asker.ask("set", step_s=5).result["step_s"]
        saved = life.node.outbox.load_state()
        life.node.close = lambda: None  # type: ignore[method-assign]  # cut, not stopped
    assert saved["utc"] == pytest.approx(BORN + 9)
    with living_node(broker, tmp_path) as life:
        assert life.node.detector.pipeline.step_s == step_s


def test_a_reload_that_was_asked_for_comes_between_two_items(life: Life, caplog: pytest.LogCaptureFixture) -> None:
    life.node.reloader.ask(lambda: changed(life, decision={"threshold": 0.97}))
    assert life.node.detector.rule.threshold != 0.97
    life.node.idle(1010.0, BORN + 10)
    assert life.node.detector.rule.threshold == 0.97

    def wrong() -> Settings:
        raise ConfigError("leakear.toml: unknown section [x]")

    life.node.reloader.ask(wrong)
    life.hear(1)
    assert "configuration not reloaded, the old one stays in force: leakear.toml: unknown section [x]" in caplog.text
    assert life.node.detector.rule.threshold == 0.97
