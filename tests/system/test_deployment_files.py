"""The broker files that systemd/mosquitto offers do what docs/DELIVERY.md says, in a real mosquitto."""

import re
import subprocess
import time
import tomllib
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

from leakear.dashboard.cli import broker_options, parser
from leakear.edge.messages.reports import Identity
from leakear.edge.mqtt.link import Link, MqttOptions
from leakear.edge.outbox.queue import Outbox
from tests.support.broker import Broker, Subscriber
from tests.support.factory import event
from tests.support.places import ROOT

FILES = ROOT / "systemd"


def linked(broker: Broker, outbox: Outbox, identity: Identity, **changes: Any) -> Link:
    given = {"host": broker.host, "port": broker.port, "reconnect_first_s": 0.1, "reconnect_last_s": 0.2}
    link = Link(MqttOptions(**(given | changes)), identity, outbox)
    link.start()
    return link


def seqs(seen: Subscriber) -> list[int]:
    return list(dict.fromkeys(m.json["seq"] for m in seen.on("leakear/+/+/event")))


@pytest.mark.timeout(120)
def test_a_sites_broker_hands_on_to_a_central_one_through_outages(tmp_path: Path) -> None:
    bridge = (FILES / "mosquitto" / "bridge.conf").read_text()
    bridge = "\n".join(line for line in bridge.splitlines() if not line.startswith("bridge_cafile"))
    with Broker(passwords={"site": "SECRET", "w": "p"}, persistence=True) as central:
        bridge = bridge.replace("CENTRAL:8884", f"{central.host}:{central.port}").replace("SITE", "site")
        bridge = bridge.replace("restart_timeout 5 120", "restart_timeout 1 2")
        with (
            Broker(persistence=True, extra=bridge) as site,
            Outbox(tmp_path / "outbox.db") as box,
            Subscriber(central, "leakear/#", client_id="watcher", user="w", password="p") as seen,
        ):
            link = linked(site, box, Identity("site", "n1"))
            got: list[str] = []
            link.on_command = lambda name, _: got.append(name)
            box.put(event())
            assert link.drain(20)
            seen.wait(1, "leakear/site/n1/event")
            central.kill()
            for _ in range(20):
                box.put(event())
            assert link.drain(20)  # the site's broker has them now
            site.kill()  # and loses power as well
            time.sleep(0.5)
            site.start()
            central.start()
            assert link.drain(20)
            seen.wait_for(lambda: len(seqs(seen)) == 21, "21 events", 60)
            assert seqs(seen) == list(range(1, 22))
            seen.publish("leakear/site/n1/cmd/status", b"{}")
            deadline = time.monotonic() + 20
            while "status" not in got and time.monotonic() < deadline:
                link.pump()
                time.sleep(0.01)
            assert got == ["status"]
            link.stop()


def test_sound_cards_are_listed_by_names_that_stay(tmp_path: Path) -> None:
    proc, port = tmp_path / "asound", tmp_path / "devices" / "usb1" / "1-1.2"
    for card, identity, streams in ((0, "vc4hdmi", "pcm0p"), (1, "Device", "pcm0c"), (2, "sndrpigooglevoi", "pcm0c")):
        (proc / f"card{card}" / streams).mkdir(parents=True)
        (proc / f"card{card}" / "id").write_text(f"{identity}\n")
    (proc / "card1" / "usbid").write_text("0d8c:0014\n")
    (port / "1-1.2:1.0").mkdir(parents=True)
    (tmp_path / "sound" / "card1").mkdir(parents=True)
    (tmp_path / "sound" / "card1" / "device").symlink_to(port / "1-1.2:1.0")
    said = subprocess.run(
        [FILES / "sensor" / "list", proc, tmp_path / "sound"], capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines() == [
        'Device: USB 0d8c:0014 in socket 1-1.2; [audio] device = "Device"',
        'sndrpigooglevoi: not USB (I2S, built in); [audio] device = "sndrpigooglevoi"',
    ]


def test_the_example_udev_rule_is_not_in_force_and_reads_without_its_comment_signs() -> None:
    lines = (FILES / "sensor" / "90-leakear-sensor.rules").read_text().splitlines()
    assert all(line.startswith("#") for line in lines if line)
    rules = [line[1:] for line in lines if line.startswith("#SUBSYSTEM")]
    assert len(rules) == 4
    for rule in rules:
        assert re.fullmatch(r'([A-Z]+(\{[\w/]+\})?(==|=)"[^"]*"(, |$))+', rule), rule


def test_the_telegraf_file_is_toml_and_names_our_topics() -> None:
    inputs = tomllib.loads((FILES / "telegraf" / "leakear.conf").read_text())["inputs"]["mqtt_consumer"]
    assert {topic for one in inputs for topic in one["topics"]} == {
        "leakear/+/+/telemetry", "leakear/+/+/state", "leakear/+/+/event",
    }  # fmt: skip


def sandbox(unit: Path) -> list[str]:
    """Lines of a unit from its sandbox on, without comments."""
    text = unit.read_text().partition("# The sandbox")[2].partition("[Install]")[0]
    return [line for line in text.splitlines() if line and not line.startswith("#")][1:]


def test_an_ingest_worker_has_the_sandbox_of_the_dashboard_and_is_in_its_package(tmp_path: Path) -> None:
    unit = ROOT / "packaging" / "leakear-dashboard-ingest@.service"
    assert len(sandbox(unit)) > 20
    assert sandbox(unit) == sandbox(ROOT / "packaging" / "leakear-dashboard.service")
    loader = SourceFileLoader("build_deb", str(ROOT / "packaging" / "build-deb"))
    build = module_from_spec(spec_from_loader(loader.name, loader) or pytest.fail("no module"))
    loader.exec_module(build)
    for part in ("edge", "dashboard"):
        (tmp_path / part).mkdir()
    build.units(tmp_path)
    assert (tmp_path / "dashboard" / "units" / unit.name).read_text() == unit.read_text()
    assert not list((tmp_path / "edge" / "units").glob("leakear-dashboard*"))


def test_the_worker_of_the_unit_is_one_that_the_program_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unit = (ROOT / "packaging" / "leakear-dashboard-ingest@.service").read_text()
    words = re.findall(r"^ExecStart=/usr/bin/leakear-dashboard (.*) \$OPTIONS$", unit, re.MULTILINE)[0].split()
    assert words == ["ingest", "--name", "%i"]
    (tmp_path / "dashboard-mqtt-password").write_text("the secret\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    given = parser().parse_args(["--broker", "mqtt://b", "--username", "ingest"])
    assert broker_options(given).password == "the secret"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "none"))
    assert broker_options(given).password is None
