"""Configuration: the example is true, wrong files are refused in one sentence that names file, key and remedy."""

import tomllib
from pathlib import Path

import pytest

from leakear.edge import cli
from leakear.edge.errors import ConfigError
from leakear.edge.model import bundle
from leakear.edge.model.tflite import FACTORY
from leakear.edge.settings import SECTIONS, Settings
from leakear.edge.settings_file import annotated, shown

EXAMPLE = list(annotated(SECTIONS, bundle.read(FACTORY).info.decision))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "leakear.toml"
    path.write_text(text)
    return path


def test_the_annotated_example_loads_and_says_every_default(tmp_path: Path) -> None:
    assert Settings.load(write(tmp_path, "\n".join(EXAMPLE)), {}) == Settings.load(None, {})
    assert set(tomllib.loads("\n".join(EXAMPLE))) == set(SECTIONS)


def test_the_defaults_written_out_are_the_defaults(tmp_path: Path) -> None:
    uncommented = "\n".join(
        line.removeprefix("#") if line.startswith("#") and not line.startswith("# ") else line for line in EXAMPLE
    )
    explicit = Settings.load(write(tmp_path, uncommented), {})
    implicit = Settings.load(None, {})
    for name in SECTIONS:
        if name != "decision":
            assert getattr(explicit, name) == getattr(implicit, name), name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[mqtt]\nhots = 1\n", ["[mqtt] hots", "unknown key", "host"]),
        ("[mqqt]\nhost = 'a'\n", ["[mqqt]", "unknown section", "mqtt"]),
        ("[mqtt]\nport = '1883'\n", ["[mqtt] port", "whole number"]),
        ("[mqtt]\nport = true\n", ["[mqtt] port", "whole number"]),
        ("[window]\nstep_s = 0\n", ["[window] step_s", "0.1"]),
        ("[model]\nruntime = 'onnx'\n", ["[model] runtime", "ai-edge-litert"]),
        ("[log\n", ["not readable as TOML", "line 1"]),
        ("host = 'a'\n", ["host", "outside of any section"]),
        ("[evidence]\nenabled = 1\n", ["[evidence] enabled", "true or false"]),
    ],
)
def test_wrong_files_are_refused_with_file_key_and_remedy(tmp_path: Path, text: str, words: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        Settings.load(path, {})
    for word in [str(path), *words]:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="config example"):
        Settings.load("/nowhere/leakear.toml", {})


def test_the_environment_overrides_and_is_checked(tmp_path: Path) -> None:
    path = write(tmp_path, "[mqtt]\nhost = 'a'\nport = 1\n")
    settings = Settings.load(path, {"LEAKEAR_MQTT_HOST": "b", "LEAKEAR_MQTT_PORT": "8883", "LEAKEAR_NODE_NAME": "42"})
    assert (settings.mqtt.host, settings.mqtt.port, settings.node.name) == ("b", 8883, "42")
    with pytest.raises(ConfigError, match="port"):
        Settings.load(path, {"LEAKEAR_MQTT_PORT": "many"})


def test_an_option_of_version_0_1_is_still_accepted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert Settings.load(write(tmp_path, "[log]\nwindows = true\n"), {}) == Settings.load(None, {})
    assert "[log] windows has no effect any more" in caplog.text


def test_show_names_every_key() -> None:
    text = "\n".join(shown(SECTIONS, Settings.load(None, {})))
    assert "threshold: from the model" in text
    for name in SECTIONS:
        assert f"[{name}]" in text


def test_a_limit_is_written_in_full_and_the_factory_model_s_threshold_is_shown() -> None:
    text = "\n".join(EXAMPLE)
    assert "e+" not in text
    assert f"#threshold = {bundle.read(FACTORY).info.threshold!r}" in text


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ana")
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    given = {
        "node": {"state_dir": "~/x"},
        "model": {"path": "~/m.tflite"},
        "mqtt": {"tls": True, "ca_file": "~/ca.pem"},
    }
    settings = Settings.from_mapping(given, environment={})
    places = (settings.node.directory, settings.model.file, settings.mqtt.tls_files.ca)
    assert list(map(str, places)) == ["/home/ana/x", "/home/ana/m.tflite", "/home/ana/ca.pem"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[node]\nsite = "a b"\n', "[node] site"),
        ('[node]\nname = "a/b"\n', "[node] name"),
        ('[node]\nstate_dir = "/proc/nope"\n', "/proc/nope cannot be written"),
        ('[mqtt]\nusername = "a"\npassword_file = "/no/such"\n', "mqtt.password_file: /no/such"),
        ('[mqtt]\ntls = true\nca_file = "/no/such"\n', "mqtt.ca_file: /no/such"),
        ('[model]\npath = "/no/such"\n', "model /no/such"),
    ],
)
def test_check_finds_what_the_daemon_would_end_over(
    tmp_path: Path, text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["config", "check", str(write(tmp_path, text))]) == 78
    assert words in capsys.readouterr().err


def test_the_example_is_written_to_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    assert (cli.main(["config", "example", str(path)]), cli.main(["config", "check", str(path)])) == (0, 0)
    assert cli.main(["config", "show", "--config", str(path)]) == 0
    assert cli.main(["config", "show", str(path), "--config", str(path)]) == 2
    before = path.read_text()
    assert cli.main(["config", "example", str(path)]) == 78
    assert path.read_text() == before


@pytest.mark.parametrize(
    "words",
    [
        ["replay"], ["replay", "a.wav", "--simulated-day"], ["replay", "--simulated-day", "--repeat", "2"],
        ["replay", "a.wav", "--repeat", "0"],
        ["replay", "a.wav", "--minutes", "-5"], ["replay", "a.wav", "--speed", "fast"],
        ["replay", "a.wav", "--start", "yesterday"], ["bench", "--runtime", "foo"], ["bench", "--repeat", "0"],
        ["listen", "--seconds", "-1"], ["check", "--seconds", "0"],
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_wrong_usage(words: list[str]) -> None:
    assert code(words) == 2


def code(words: list[str]) -> object:
    try:
        return cli.main(words)
    except SystemExit as ended:
        return ended.code
