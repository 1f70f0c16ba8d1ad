"""`leakear-edge deploy` and `rollback` against a real broker with TLS and passwords, and a real node."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from leakear.edge import cli
from leakear.edge.cli.models.operator import Operator
from leakear.edge.messages.reports import Identity
from leakear.edge.mqtt.options import MqttOptions
from tests.edge.remote.test_model_update import OLD_ID, SECOND, configured, made
from tests.support.broker import Broker, Message, Subscriber
from tests.support.certificates import Authority
from tests.support.fake_node import FakeNode, done
from tests.support.living_node import Life, living_node

__all__ = ["configured"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def closed(authority: Authority) -> Iterator[Broker]:
    """A broker as docs/DELIVERY.md describes it: TLS, users."""
    broker = authority.issue("broker")
    passwords = {"node": "n", "operator": "secret"}
    with Broker(
        cafile=authority.cafile, certfile=broker.certificate, keyfile=broker.key, passwords=passwords
    ) as running:
        yield running


@pytest.fixture
def life(closed: Broker, authority: Authority, tmp_path: Path, configured: dict[str, Any]) -> Iterator[Life]:
    mqtt = {"host": "localhost", "tls": True, "ca_file": str(authority.cafile), "username": "node", "password": "n"}
    with living_node(closed, tmp_path / "state", model=configured, mqtt=mqtt) as it:
        it.hear(10)
        yield it


class Terminal:
    """A person who types."""

    def __init__(self, life: Life, broker: Broker, authority: Authority, folder: Path) -> None:
        self._life, self._folder = life, folder
        self._url = f"mqtts://operator@localhost:{broker.port}"
        self._ca = str(authority.cafile)
        self._at = 1010.0

    def types(self, *words: str | Path, password: str = "secret", ca: bool = True) -> tuple[int, str, str]:
        """Run leakear-edge while the node lives; return exit code and what it prints."""
        return self._run([*words, "--broker", self._url, *(["--ca", self._ca] if ca else []), "--wait", "5"], password)

    def on_site(self, *words: str | Path) -> tuple[int, str, str]:
        state = {"LEAKEAR_NODE_STATE_DIR": str(self._life.settings.node.directory)}
        return self._run([*words], "", state)

    def _run(self, words: list[str | Path], password: str, extra: dict[str, str] | None = None) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "leakear.edge.cli", *words]
        environment = os.environ | {"MQTT_PASSWORD": password} | (extra or {})
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=self._folder
        )

        def over() -> bool:
            self._at += 0.5
            self._life.node.idle(self._at, self._at + 1.8e9 - 1000)
            return process.poll() is not None

        self._life.pump_until(over, "end of the command")
        out, err = process.communicate()
        return process.returncode, out, err


@pytest.fixture
def terminal(life: Life, closed: Broker, authority: Authority, tmp_path: Path) -> Terminal:
    return Terminal(life, closed, authority, tmp_path)


@pytest.fixture
def second(tmp_path: Path) -> Path:
    (tmp_path / "second.tflite").write_bytes(SECOND)
    return tmp_path / "second.tflite"


def test_a_model_is_deployed_over_tls_and_taken_back_from_afar(life: Life, terminal: Terminal, second: Path) -> None:
    code, out, err = terminal.types("deploy", second, "--to", "hill/*", "--no-trial")
    assert (code, err) == (0, "")
    assert "hill/pit-7" in out
    assert "in use, and watched" in out
    assert "1 of 1 nodes did it" in out
    assert life.node.detector.model.info.model_id == "second"
    code, out, _ = terminal.types("rollback", "--list", "--to", "hill/pit-7", "--json")
    models = json.loads(out)["nodes"][0]["models"]
    assert (code, models[0]["id"], models[0]["use"]) == (0, "second", "in use")
    code, out, _ = terminal.types("rollback", "--to", "hill/pit-7")
    assert (code, life.node.detector.model.info.model_id) == (0, OLD_ID)
    assert f"{OLD_ID} is in use again" in out
    code, out, _ = terminal.types("deploy", second, "--to", "hill/pit-7", "--json")
    said = json.loads(out)
    assert (code, said["ok"], said["model"]) == (1, False, "second")
    assert "is not newer" in said["nodes"][0]["says"]


def test_a_model_is_taken_back_on_site(life: Life, terminal: Terminal, second: Path) -> None:
    assert terminal.types("deploy", second, "--to", "hill/pit-7")[0] == 0
    assert life.node.detector.beside is not None
    code, out, err = terminal.on_site("rollback", "--model", "factory")
    assert (code, err) == (0, "")
    assert "is in use again" in out
    assert (life.node.detector.model.info.model_id[:8], life.node.detector.beside) == ("factory-", None)
    code, out, _ = terminal.on_site("rollback", "--list", "--json")
    assert (code, json.loads(out)["models"][0]["use"]) == (0, "in use")
    code, _, err = terminal.on_site("rollback", "--model", "nobody")
    assert (code, "There are: " in err) == (1, True)


@pytest.mark.parametrize(
    ("words", "how", "code", "sentence"),
    [
        (["--to", "hill/nobody", "hill/pit-7"], {}, 1, "no answer within 5 s"),
        (["--to", "pit-7"], {}, 2, "write SITE/NODE"),
        (["--to", "valley/*"], {}, 69, "knows no node of this site"),
        (["--to", "hill/pit-7"], {"password": "wrong"}, 69, "does not let this user in: Not authorized"),
        (["--to", "hill/pit-7"], {"ca": False}, 69, "certificate verify failed"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(
    life: Life, terminal: Terminal, second: Path, words: list[str], how: dict[str, Any], code: int, sentence: str
) -> None:
    got, out, err = terminal.types("deploy", second, *words, **how)
    assert (got, sentence in out + err) == (code, True), out + err
    assert "Traceback" not in err


def test_what_no_node_would_take_is_not_sent(terminal: Terminal, tmp_path: Path, second: Path) -> None:
    unsigned = tmp_path / "unsigned.tflite"
    unsigned.write_bytes(made("unsigned", "2027-01-01T00:00:00Z", key=None))
    code, _, err = terminal.types("deploy", unsigned, "--to", "hill/pit-7")
    assert (code, "leakear-convert sign" in err) == (78, True)
    code, _, err = terminal.types("deploy", tmp_path / "none.tflite", "--to", "hill/pit-7")
    assert (code, "No such file" in err) == (78, True)
    code, _, err = terminal.on_site("deploy", second, "--to", "hill/pit-7", "--broker", "http://x")
    assert (code, "--broker: write mqtts://HOST" in err) == (2, True)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(
    "result",
    [
        {"models": ["x"]}, {"models": 7}, {"model": "x"}, {"stage": 7},
        {"stage": "listed", "next_part": 0, "parts": 0, "model": {"id": "\x1b[2Jx", "sha256": "0" * 64},
         "models": [{"id": "\x07", "sha256": "0" * 64, "use": "before"}]},
    ],
)  # fmt: skip
def test_an_answer_that_is_none_ends_no_command_and_reaches_no_terminal(
    broker: Broker, result: dict[str, Any], listed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeNode(broker.port) as node, FakeNode(broker.port, "node-2") as honest:
        node.answers = lambda _name, request: done(request, **result)
        model = {"id": "good", "sha256": "0" * 64}
        honest.answers = lambda _name, request: done(
            request, stage="listed", next_part=0, parts=0, model=model, models=[{**model, "use": "in use"}]
        )
        words = ["rollback", "--to", "site-a/node-1", "site-a/node-2", "--broker", f"mqtt://127.0.0.1:{broker.port}"]
        assert cli.main([*words, *(["--list"] if listed else [])]) == 1
    out = capsys.readouterr().out
    assert "its answer cannot be read" in out
    assert "good" in out
    assert out.replace("\n", "").isprintable()


def test_an_answer_is_kept_while_the_operators_connection_breaks(broker: Broker) -> None:
    operator, node = Operator(MqttOptions(host=broker.host, port=broker.port), 20), Identity("hill", "pit-1")

    def answer(asked: Message) -> None:
        """Answer as a node, while the operator is away."""
        line = operator._client.socket()
        assert isinstance(line, socket.socket)
        line.shutdown(socket.SHUT_RDWR)
        seen.wait_for(lambda: broker.log.count(f"Client {operator._name}") > 0, "the operator has gone")
        seen.publish(node.topic("cmd/status/result"), {"schema": 1, "id": asked.json["id"], "ok": True, "result": {}})

    with Subscriber(broker, node.topic("cmd/status")) as seen, ThreadPoolExecutor() as beside:
        operator.connect()
        done = beside.submit(lambda: answer(seen.wait(1, node.topic("cmd/status"))[0]))
        assert operator.ask(node, "status", {}).ok
        done.result()
        operator.close()
