"""What setup writes for a unit, and what it never does: lose a file, show a secret, let others read one."""

from pathlib import Path

import pytest

from leakear.edge.cli.onsite import unit
from leakear.edge.cli.setup import answers, configuration
from leakear.edge.cli.setup.answers import Answers
from leakear.edge.mqtt.credentials import login
from leakear.edge.settings import Settings


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with both units."""
    for name in ("etc", "units", "store"):
        (tmp_path / name).mkdir()
    for name in ("leakear.service", "leakear@.service"):
        (tmp_path / "units" / name).touch()
    monkeypatch.setattr(unit, "SYSTEM_FILE", tmp_path / "etc" / "leakear.toml")
    monkeypatch.setattr(unit, "UNITS", (tmp_path / "units",))
    monkeypatch.setattr(unit, "STORES", (tmp_path / "store",))
    monkeypatch.setattr(unit, "STATES", tmp_path / "state")
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return tmp_path


def said(**more: str) -> Answers:
    given = {"site": "hill", "name": "pit-7", "broker": "mqtts://broker.local", "user": "hill.pit-7"}
    return answers.of(given | {"password": "new"} | more)


@pytest.mark.parametrize(("file", "secret"), [("leakear.toml", "mqtt-password"), ("a.toml", "a.mqtt-password")])
def test_a_unit_gets_its_password_as_a_credential(machine: Path, file: str, secret: str) -> None:
    plan = configuration.planned(machine / "etc" / file, said())
    configuration.write(plan)
    kept = machine / "store" / secret
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("new\n", 0o600)
    written = machine / "etc" / file
    assert written.stat().st_mode & 0o777 == 0o644, "the unit's user must read it"
    settings = Settings.load(written, {})
    assert (settings.mqtt.password, settings.mqtt.password_file) == ("", "")
    assert settings.mqtt.client_id == "hill.pit-7", "as systemd/broker names its nodes"
    with unit.seen_by_unit(written):
        assert login(settings.mqtt.username, "", "").password == "new"
    assert configuration.planned(written, said()).files == ()


def test_the_broker_is_asked_with_what_will_be_written(machine: Path) -> None:
    config, store = machine / "etc" / "leakear.toml", machine / "store"
    (store / "mqtt-password").write_text("old")
    (store / "mqtt-username").write_text("old")
    plan = configuration.planned(config, said())
    with configuration.as_unit(plan):
        found = login(plan.settings.mqtt.username, "", "")
        assert (found.username, found.password) == ("hill.pit-7", "new")
    assert (store / "mqtt-password").read_text() == "old"
    copies = configuration.write(plan)
    assert sorted(copy.read_text() for copy in copies) == ["old", "old"]
    assert {copy.stat().st_mode & 0o777 for copy in copies} == {0o600}
    assert (store / "mqtt-username").read_text() == "hill.pit-7\n"


def test_without_a_password_the_one_that_is_there_stays(machine: Path) -> None:
    config = machine / "etc" / "leakear.toml"
    (machine / "store" / "mqtt-password").write_text("old")
    plan = configuration.planned(config, said(password=""))
    with configuration.as_unit(plan):
        assert login(plan.settings.mqtt.username, "", "").password == "old"
    assert [file.path for file in plan.files] == [config]


@pytest.mark.parametrize(
    "line",
    [
        'password = "geheim"',
        "+ 'password' = 'geheim'",
        '-mqtt = { host = "b", password = "geheim" }',
        'mqtt.password="geheim"',
    ],
)
def test_secrets_are_masked(line: str) -> None:
    assert "geheim" not in configuration.masked(line)
    assert configuration.masked('+password_file = "/etc/p"') == '+password_file = "/etc/p"'


def test_a_configuration_written_in_another_way_is_kept_as_it_is(tmp_path: Path) -> None:
    config = tmp_path / "n.toml"
    config.write_text('# mine\nmqtt = { host = "b", password = "p", username = "u" }\nnode.site = "x" # here\n')
    configuration.write(configuration.planned(config, said()))
    assert "# mine" in config.read_text()
    settings = Settings.load(config, {})
    assert (settings.mqtt.host, settings.mqtt.password, settings.node.site) == ("broker.local", "", "hill")
    before = configuration.before(config)
    assert (before["broker"], before["user"], before["site"]) == ("mqtts://broker.local", "hill.pit-7", "hill")


def test_what_is_the_default_needs_no_line_and_what_is_there_is_changed(tmp_path: Path) -> None:
    config, plain = tmp_path / "n.toml", said(broker="mqtt://b", user="", password="")
    configuration.write(configuration.planned(config, plain))
    assert config.read_text().splitlines()[1:] == [
        "",
        "[node]",
        'site = "hill"',
        'name = "pit-7"',
        "",
        "[mqtt]",
        'host = "b"',
    ]
    encrypted = config.read_text().replace('host = "b"', 'host = "b"\ntls = true\nusername = "u"')
    config.write_text(encrypted)
    configuration.write(configuration.planned(config, plain))
    assert 'tls = false\nusername = ""' in config.read_text()
    assert configuration.planned(config, plain).files == ()


@pytest.mark.parametrize(
    "line", ['password = """\nTOPSECRET"""', '"pass\\u0077ord" = "TOPSECRET"', "password='TOPSECRET'"]
)
def test_the_difference_shows_no_password_however_it_is_written(tmp_path: Path, line: str) -> None:
    config = tmp_path / "leakear.toml"
    config.write_text(f'[mqtt]\nhost = "h"\nusername = "hill.pit-7"\n{line}\n')
    plan = configuration.planned(config, said(password=""))
    assert '+host = "broker.local"' in plan.difference
    assert "TOPSECRET" not in plan.difference
    assert plan.settings.mqtt.password == "TOPSECRET"
