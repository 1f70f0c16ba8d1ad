"""Setup in a terminal: asks, shows levels, tries, writes, sends a test alert; Ctrl-C leaves all as it was."""

import json
import os
from pathlib import Path

import pytest

from leakear.edge.cli import main
from leakear.edge.settings import Settings
from tests.support.broker import Broker, Subscriber
from tests.support.certificates import Authority
from tests.support.terminal import Terminal

CODE = """
import sys
import numpy as np
from leakear.edge import cli
from leakear.edge.audio.fake_microphone import FakeSource
from leakear.edge.cli.setup import command, dialogue, discovery
dialogue.LISTEN_S = discovery.WAIT_S = 0.3
noise = (np.random.default_rng(0).standard_normal((48000, 1)) * {gain}).astype(np.float32)
command.SoundDeviceSource = lambda: FakeSource(noise)
sys.exit(cli.main({words}))
"""
SECRET = "what nobody may see"


def code(*words: str, gain: float = 0.1) -> str:
    return CODE.format(words=["setup", *words], gain=gain)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "leakear.toml"


def test_from_nothing_to_a_test_alert(tmp_path: Path, config: Path) -> None:
    acl = "user n\ntopic write leakear/hill/pit-7/#\nuser w\ntopic read leakear/#\n"
    with (
        Broker(passwords={"n": SECRET, "w": "w"}, acl=acl) as broker,
        Subscriber(broker, "leakear/#", user="w", password="w") as seen,
        Terminal(code("--config", str(config))) as terminal,
    ):
        terminal.expect(r"Site .*: ")
        terminal.say("two words")
        terminal.expect("use 1 to 64 letters")
        terminal.say("hill")
        terminal.expect(r"Name of this node .*: ")
        terminal.say("pit-7")
        terminal.expect(r"1  Fake microphone .*\s+-\d+\.\d dBFS \[#+")
        terminal.expect(r"Microphone .*: ")
        terminal.say("1")
        terminal.expect(r"Knock on the pipe[\s\S]*dBFS")
        terminal.say("")
        terminal.expect(r"Broker.*: ")
        terminal.say("127.0.0.1")
        terminal.expect("write mqtts://HOST")
        terminal.say(f"mqtt://{broker.host}:{broker.port}")
        terminal.expect(r"User on the broker .*: ")
        terminal.say("n")
        terminal.expect("Password")
        terminal.say(SECRET)
        terminal.expect(r"\+site = \"hill\"")
        terminal.expect("accepts this node")
        terminal.expect(r"Write .*: ")
        assert not config.exists()
        terminal.say("y")
        assert terminal.ends() == 0, terminal.shown
        event = json.loads(seen.wait(1, "leakear/hill/pit-7/event")[0].payload)
        assert SECRET not in terminal.shown
    assert (event["kind"], event["from"], event["to"], event["seq"]) == ("test", "OK", "OK", 0)
    assert "not a leak" in event["reason"]
    assert f"Next: leakear-edge check --config {config}" in terminal.shown
    settings = Settings.load(config, {})
    assert (settings.node.identity.topic(""), settings.mqtt.username) == ("leakear/hill/pit-7/", "n")
    assert settings.audio.device == "Fake microphone"
    password = Path(settings.mqtt.password_file)
    assert (password.read_text(), password.stat().st_mode & 0o777) == (f"{SECRET}\n", 0o600)
    assert config.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["leakear.mqtt-password", "leakear.toml"]


def test_digital_silence_is_named(config: Path) -> None:
    with Terminal(code("--config", str(config), "--site", "hill", "--name", "n", gain=0.0)) as terminal:
        terminal.expect("DIGITAL SILENCE: the sensor delivers nothing but zeros: check the plug")


QUESTIONS = ("Site", "Name of this node", r"Microphone \(", "Knock on the pipe", "Broker", "User", "Password", "Write")
ANSWERS = ("hill", "pit-7", "1", "", "mqtt://127.0.0.1:9", "n", SECRET)


@pytest.mark.parametrize("stop", [0, 3, 4, 7])  # the first, the meter, after the broker was looked for, the last
def test_ctrl_c_at_any_question_changes_nothing(tmp_path: Path, config: Path, stop: int) -> None:
    config.write_text("[node]\nsite = 'before'\n")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with Terminal(code("--config", str(config), "--no-test")) as terminal:
        for question, answer in zip(QUESTIONS[:stop], ANSWERS, strict=False):
            terminal.expect(question)
            terminal.say(answer)
        terminal.expect(QUESTIONS[stop])
        assert terminal.interrupt() == 130, terminal.shown
        assert "Nothing was written." in terminal.shown
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def flags(config: Path, broker: str, *more: str) -> list[str]:
    return ["setup", "--yes", "--config", str(config), "--site", "hill", "--name", "pit-7", "--broker", broker, *more]


def test_flags_ask_nothing_and_an_existing_file_is_never_lost(
    tmp_path: Path, config: Path, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    old = "# mine\n[mqtt]\npassword = 'geheim'\nusername = 'x'\nkeepalive_s = 30\n[log]\nlevel = 'debug'\n"
    config.write_text(old)
    config.chmod(0o640)
    (tmp_path / "p").write_text(SECRET)
    more = ("--device", "USB", "--user", "n", "--password-file", str(tmp_path / "p"))
    assert main(flags(config, f"mqtt://{broker.host}:{broker.port}", *more)) == 0
    shown = capsys.readouterr().out
    assert "geheim" not in shown
    assert SECRET not in shown
    assert '+device = "USB"' in shown
    assert "the name of the microphone is written all the same: " in shown
    assert config.stat().st_mode & 0o777 == 0o640
    text = config.read_text()
    assert "# mine" in text
    assert "geheim" not in text
    settings = Settings.load(config, {})
    assert (settings.mqtt.keepalive_s, settings.log.level, settings.mqtt.port) == (30, "debug", broker.port)
    copies = list(tmp_path.glob("leakear.toml.bak-*"))
    assert [copy.read_text() for copy in copies] == [old]
    assert copies[0].stat().st_mode & 0o777 == 0o640
    assert main(flags(config, f"mqtt://{broker.host}:{broker.port}", *more)) == 0
    assert "says so already" in capsys.readouterr().out
    assert list(tmp_path.glob("leakear.toml.bak-*")) == copies
    assert main(flags(config, f"mqtt://{broker.host}:{broker.port}", "--device", "I2S")) == 0
    assert len(list(tmp_path.glob("leakear.toml.bak-*"))) == 2


def test_a_broker_that_refuses_leaves_everything_as_it_was(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Broker(passwords={"n": "right"}) as broker:
        (tmp_path / "p").write_text("wrong")
        more = ("--user", "n", "--password-file", str(tmp_path / "p"))
        code = main(flags(config, f"mqtt://{broker.host}:{broker.port}", *more))
    assert code == 69
    assert "nothing was written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_nothing_is_said_to_wait_where_nothing_is_set_up(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Broker() as broker:
        address = f"mqtt://{broker.host}:{broker.port}"
    assert main(flags(config, address)) == 69
    said = capsys.readouterr()
    assert "does not answer: is it running, is the address right?" in said.out
    assert "events wait" not in said.out + said.err
    assert not config.exists()

    monkeypatch.setattr("leakear.edge.cli.setup.command._try", lambda *_, **__: None)  # it went away after the try
    assert main(flags(config, address)) == 69
    error = capsys.readouterr().err
    assert "the configuration is written, and the test alert failed" in error
    assert "The test alert is not kept: run setup once more" in error
    assert "events wait" not in error


def test_without_a_test_it_is_written_without_trying(config: Path) -> None:
    assert main(flags(config, "mqtts://broker.invalid", "--no-test")) == 0
    mqtt = Settings.load(config, {}).mqtt
    assert (mqtt.host, mqtt.tls) == ("broker.invalid", True)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--site", "a b"], "use 1 to 64 letters"),
        (["--broker", "broker.local"], "write mqtts://HOST"),
        (["--broker", "mqtt://u:p@broker"], "leave it out"),
        (["--broker", "mqtts://broker:x"], "port or address"),
        (["--ca", "/nowhere/ca.pem"], "cannot be read"),
        (["--password-file", "/nowhere"], "cannot be read"),
        (["--port", "8091"], "add --web"),
    ],
)
def test_a_wrong_option_is_named(
    config: Path, capsys: pytest.CaptureFixture[str], wrong: list[str], words: str
) -> None:
    assert main([*flags(config, "mqtts://broker.local"), "--no-test", *wrong]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not config.exists()


def test_the_page_refuses_answers_that_it_would_not_look_at(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leakear.edge.cli.setup.web.server.serve", lambda *_: 0)
    assert main([*flags(config, "mqtt://b"), "--web", "--no-test"]) == 2
    assert "--web asks on its page: leave out --site, --name, --broker, --yes, --no-test" in capsys.readouterr().err
    assert main(["setup", "--config", str(config), "--web", "--port", "0"]) == 0


def test_without_a_terminal_it_says_what_to_give(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(write)
    with os.fdopen(read) as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        assert main(["setup", "--config", str(config)]) == 2


def test_a_site_is_needed_to_ask_nothing(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["setup", "--yes", "--config", str(config)]) == 2
    assert "give --site" in capsys.readouterr().err


def test_a_configuration_that_cannot_be_read_is_left_alone(config: Path) -> None:
    config.write_text("[node\n")
    assert main(flags(config, "mqtts://b", "--no-test")) == 78
    assert config.read_text() == "[node\n"


def test_tls_with_a_ca(config: Path, tmp_path: Path) -> None:
    """The CA is copied beside the configuration; the broker's certificate is verified with it."""
    folder = tmp_path / "pki"
    folder.mkdir()
    authority, other = Authority(folder), Authority(folder, "other")
    server = authority.issue("broker")
    with Broker(cafile=authority.cafile, certfile=server.certificate, keyfile=server.key) as broker:
        url = f"mqtts://localhost:{broker.port}"
        assert main(flags(config, url, "--ca", str(other.cafile))) == 69
        assert not config.exists()
        assert main(flags(config, url, "--ca", str(authority.cafile))) == 0
    mqtt = Settings.load(config, {}).mqtt
    assert Path(mqtt.ca_file) == tmp_path / "leakear.ca.pem"
    assert Path(mqtt.ca_file).read_bytes() == authority.cafile.read_bytes()
