"""Configuration: the example is true, wrong files are refused in one sentence that names file, key and remedy."""

import tomllib
from pathlib import Path

import pytest

from leakear.edge.errors import ConfigError
from leakear.edge.settings import SECTIONS, Settings, annotated, shown


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "leakear.toml"
    path.write_text(text)
    return path


def test_the_annotated_example_loads_and_says_every_default(tmp_path: Path) -> None:
    lines = list(annotated())
    assert Settings.load(write(tmp_path, "\n".join(lines)), {}) == Settings.load(None, {})
    assert set(tomllib.loads("\n".join(lines))) == set(SECTIONS)


def test_the_defaults_written_out_are_the_defaults(tmp_path: Path) -> None:
    uncommented = "\n".join(
        line.removeprefix("#") if line.startswith("#") and not line.startswith("# ") else line for line in annotated()
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


def test_show_names_every_key() -> None:
    text = "\n".join(shown(Settings.load(None, {})))
    assert "threshold: from the model" in text
    for name in SECTIONS:
        assert f"[{name}]" in text
