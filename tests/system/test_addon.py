"""The add-ons of Home Assistant: their descriptions, and what they start, beside a Supervisor of documented answers."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import soundfile
import yaml
from PIL import Image

from leakear.dashboard.i18n import texts
from leakear.edge import __version__
from tests.support.broker import Broker, free_port
from tests.support.harness import Browser, until
from tests.support.nginx import Nginx
from tests.support.places import ROOT
from tests.support.supervisor import TOKEN, Supervisor

EN = texts("en")
HERE = ROOT / "packaging" / "homeassistant"
ADDONS = ("leakear_node", "leakear_dashboard")
PREFIX = "/api/hassio_ingress/T0ken_of-ingress"
START = """import sys; from importlib.util import *
spec = spec_from_file_location("start", sys.argv[1]); start = module_from_spec(spec); sys.modules["start"] = start
spec.loader.exec_module(start); from pathlib import Path
paths = ("data", "extra", "programs")
given = {n: Path(v) if n in paths else v for n, v in (w.split("=", 1) for w in sys.argv[2].split())}
start.ASK_S = 1.0
start.main(sys.argv[3:], start.Places(user=0, **given))"""
BROKER = {"host": "127.0.0.1", "username": "addons", "password": "sëcret = x"}


def described(addon: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((HERE / addon / "config.yaml").read_text(encoding="utf-8"))
    return found


def start_module() -> Any:
    spec = spec_from_file_location("addon_start", HERE / "start.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules["addon_start"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("addon", ADDONS)
def test_the_description_keeps_to_the_documented_schema(addon: str) -> None:
    schema = json.loads((ROOT / "tests" / "system" / "homeassistant-addon.schema.json").read_text())
    jsonschema.validate(described(addon), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(described(addon) | {"services": ["mqtt:must"]}, schema)
    assert described(addon)["version"] == __version__
    assert described(addon)["slug"] == addon
    for name in ("README.md", "DOCS.md", "CHANGELOG.md"):
        assert (HERE / addon / name).stat().st_size > 50
    icon = Image.open(HERE / addon / "icon.png")
    assert (icon.format, icon.size) == ("PNG", (128, 128))


@pytest.mark.parametrize("addon", ADDONS)
def test_every_option_has_a_fitting_default_and_words_in_both_languages(addon: str) -> None:
    known = described(addon)
    for name, value in known["options"].items():
        kind = known["schema"][name]
        if kind.startswith("match("):
            assert re.match(kind[6:-1], value)
        else:
            assert value in kind.removeprefix("list(").removesuffix(")").split("|")
    for language in ("en", "pt-BR"):
        said = yaml.safe_load((HERE / addon / "translations" / f"{language}.yaml").read_text(encoding="utf-8"))
        assert set(said) == {"configuration"}
        assert set(said["configuration"]) == set(known["schema"])
        assert all(set(words) == {"name", "description"} for words in said["configuration"].values())


def test_port_and_address_are_those_of_the_description_and_the_documentation() -> None:
    places = start_module().Places()
    assert places.listen == f"0.0.0.0:{described('leakear_dashboard')['ingress_port']}"
    assert places.ingress == "172.30.32.2"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[tuple[Path, Supervisor]]:
    """Folder with data and config, and a Supervisor that knows a broker."""
    (tmp_path / "data").mkdir()
    (tmp_path / "config").mkdir()
    with Supervisor(BROKER | {"port": 1883}) as supervisor:
        yield tmp_path, supervisor


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A Chromium."""
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        pytest.skip("Chromium is not installed: apt-get install chromium chromium-driver")
    running = Browser()
    yield running
    running.quit()


def places(home: tuple[Path, Supervisor], **more: Any) -> Any:
    folder, supervisor = home
    known = {"data": folder / "data", "extra": folder / "config", "supervisor": supervisor.host, "user": os.geteuid()}
    made = start_module().Places(**(known | more))
    made.own.mkdir(mode=0o700)
    return made


def choose(home: tuple[Path, Supervisor], **options: Any) -> None:
    (home[0] / "data" / "options.json").write_text(json.dumps(options))


def test_options_and_broker_become_a_configuration_that_the_node_accepts(
    home: tuple[Path, Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERVISOR_TOKEN", TOKEN)
    choose(home, site="home", name="pipe", device="USB")
    (home[0] / "config" / "leakear.toml").write_text('# mine\n[decision]\nquiet_hours = "02:00-04:00"\n')
    here = places(home)
    command = start_module().node(here, [])
    assert command == ["/usr/bin/leakear-edge", "run", "--config", str(here.own / "leakear.toml")]
    written = (here.own / "leakear.toml").read_text()
    secret = here.own / "mqtt-password"
    assert tomllib.loads(written) == {
        "decision": {"quiet_hours": "02:00-04:00"}, "node": {"site": "home", "name": "pipe"},
        "audio": {"device": "USB"},
        "mqtt": {"host": "127.0.0.1", "port": 1883, "tls": False, "username": "addons", "password_file": str(secret)},
    }  # fmt: skip
    assert "# mine" in written
    assert secret.read_text() == "sëcret = x\n"
    assert {path.stat().st_mode & 0o777 for path in here.own.iterdir()} == {0o600}
    check = [sys.executable, "-m", "leakear.edge.cli", "config", "check", str(here.own / "leakear.toml")]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 0


def test_the_broker_of_the_persons_own_file_goes_before_home_assistants(home: tuple[Path, Supervisor]) -> None:
    choose(home, site="home", name="pipe")
    (home[0] / "config" / "leakear.toml").write_text('[mqtt]\nhost = "broker.example"\ntls = true\n')
    here = places(home)
    start_module().node(here, [])
    assert tomllib.loads((here.own / "leakear.toml").read_text())["mqtt"] == {"host": "broker.example", "tls": True}
    assert home[1].asked == 0


def test_a_broker_that_registers_late_is_waited_for_and_the_last_known_one_is_kept(
    home: tuple[Path, Supervisor], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SUPERVISOR_TOKEN", TOKEN)
    here, start, supervisor = places(home), start_module(), home[1]
    known, supervisor.broker = supervisor.broker, None
    with pytest.raises(start.SettingError, match=r"\(Service not enabled\); install and start the add-on Mosquitto"):
        start.broker(here, 0.0)
    monkeypatch.setattr(start.time, "sleep", lambda _: setattr(supervisor, "broker", known))
    found = start.broker(here, 30.0)
    assert (found["host"], found["port"], found["ssl"]) == ("127.0.0.1", 1883, False)
    supervisor.broker = None
    assert start.broker(here, 0.0) == found
    assert "the last known one is used" in capfd.readouterr().out
    monkeypatch.setenv("SUPERVISOR_TOKEN", "wrong")
    (here.own / "mqtt.json").unlink()
    with pytest.raises(start.SettingError, match="Unauthorized"):
        start.broker(here, 0.0)


@pytest.mark.parametrize(
    ("options", "config", "sentence"),
    [
        ("{", "", "options.json cannot be read"),
        ("[]", "", "holds no options"),
        ('{"site": "home"}', "[node\n", "leakear.toml: not readable as TOML"),
        (None, "", "options.json cannot be read"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    home: tuple[Path, Supervisor], options: str | None, config: str, sentence: str
) -> None:
    if options is not None:
        (home[0] / "data" / "options.json").write_text(options)
    (home[0] / "config" / "leakear.toml").write_text(config)
    words = f"data={home[0]}/data extra={home[0]}/config supervisor={home[1].host} programs=/none"
    command = [sys.executable, "-c", START, str(HERE / "start.py"), words, "node"]
    environment = {**os.environ, "SUPERVISOR_TOKEN": TOKEN}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 78
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_leak_that_is_heard_shows_in_the_frame_of_home_assistant(
    browser: Browser, home: tuple[Path, Supervisor], tmp_path: Path
) -> None:
    """Both add-ons started by their script, a broker with a password, ingress by a real nginx, a real Chromium."""
    folder, supervisor = home
    choose(home, site="home", name="pipe", role="operate", language="en")
    programs = tmp_path / "bin"
    programs.mkdir()
    for part, module in (("edge", "leakear.edge.cli"), ("dashboard", "leakear.dashboard.program")):
        path = programs / f"leakear-{part}"
        path.write_text(f"#!/bin/sh\nexport PYTHONPATH='{os.pathsep.join(sys.path)}'\nexec {sys.executable} -c "
                        f"'import sys; from {module} import main; sys.exit(main())' \"$@\"\n")  # fmt: skip
        path.chmod(0o755)
    soundfile.write(tmp_path / "leak.wav", 0.05 * np.random.default_rng(2).standard_normal(30 * 22050), 22050)
    (folder / "config" / "leakear.toml").write_text(
        f'[model]\npath = "{ROOT}/tests/data/tiny.tflite"\n'
        "[decision]\nspan_s = 60\nconfirm_s = 30\nclear_s = 30\nnoisy_s = 60\n"
    )
    port = free_port()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "options.json").write_text((folder / "data" / "options.json").read_text())
    environment = {**os.environ, "SUPERVISOR_TOKEN": TOKEN}

    def command(data: str, *words: str) -> list[str]:
        given = f"data={tmp_path}/{data} extra={tmp_path}/config supervisor={supervisor.host} programs={programs}"
        given += f" ingress=127.0.0.1 listen=127.0.0.1:{port}"
        return [sys.executable, "-c", START, str(HERE / "start.py"), given, *words]

    with Broker(passwords={"addons": "sëcret = x"}) as broker:
        supervisor.broker = BROKER | {"port": broker.port}
        show = subprocess.Popen(command("other", "dashboard"), env=environment, stdout=subprocess.PIPE, text=True)
        try:
            assert show.stdout is not None
            assert show.stdout.readline().strip() == f"http://127.0.0.1:{port}/"
            headers = {"X-Remote-User-Name": "ana", "X-Ingress-Path": PREFIX}
            with Nginx({PREFIX: (f"http://127.0.0.1:{port}", headers)}) as proxy:
                me = f"{proxy.url}{PREFIX}/api/me"
                until(lambda: json.load(urllib.request.urlopen(me))["line"]["connected"], "the broker")
                words = ("replay", "--repeat", "5", str(tmp_path / "leak.wav"))
                done = subprocess.run(
                    command("data", "node", *words), env=environment, capture_output=True, check=False
                )
                assert done.returncode == 0, done.stderr
                browser.open(f"{proxy.url}{PREFIX}/")
                browser.text(".who", "ana")
                browser.text('.fleet .node[data-node="pipe"][data-site="home"] .badge', EN["state.LEAK"])
                browser.open(f"{proxy.url}{PREFIX}/alerts")
                browser.click(".entry .acknowledge")
                browser.text(".entry .seen", "ana")
                browser.open("about:blank")
        finally:
            show.terminate()
            show.wait(20)
