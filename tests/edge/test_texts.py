"""Text files of Windows editors, and names that a terminal must not act on."""

from pathlib import Path

import pytest

from leakear.edge import settings_file, texts
from leakear.edge.errors import ConfigError
from leakear.edge.mqtt.credentials import login


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(b"\xef\xbb\xbf[node]\r\nsite = 'x'\r\n")
    assert settings_file.read(file) == {"node": {"site": "x"}}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf16_is_told_in_one_sentence(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes("[node]\n".encode(encoding))
    with pytest.raises(ConfigError, match=r"a\.toml is UTF-16 text; save it as UTF-8"):
        settings_file.read(file)


def test_latin1_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(b"[node]\nsite = 'S\xe3o'\n")
    with pytest.raises(ConfigError, match=r"is not UTF-8 text \(line 2\); save it as UTF-8"):
        settings_file.read(file)


def test_a_password_does_not_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "pw"
    file.write_bytes(b"\xef\xbb\xbfsecret\r\n")
    assert login("node", "", str(file)).password == "secret"


def test_an_environment_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from leakear.edge.settings import Settings

    monkeypatch.setenv("LEAKEAR_MQTT_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(ConfigError, match=r"environment variable LEAKEAR_MQTT_SERVICE_HOST: \[mqtt\] service_host"):
        Settings.load(None)


def test_names_are_printable() -> None:
    assert texts.printable("a\x1b[31mb\nc\udce3.wav") == "a\\x1b[31mb\\nc\\udce3.wav"
    assert texts.printable("Gravação 漏水 💧.wav") == "Gravação 漏水 💧.wav"
