"""Text files of Windows editors, and names that a terminal must not act on."""

import os
from pathlib import Path

import pytest

from leakear.edge import settings_file, texts
from leakear.edge.errors import ConfigError, ModelError
from leakear.edge.model import bundle
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


def test_a_configuration_or_model_without_an_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="configuration /dev/zero: Not a file, but a device or pipe; name a file"):
        settings_file.read(Path("/dev/zero"))
    with pytest.raises(ModelError, match="model /dev/zero: Not a file, but a device or pipe; name a model file"):
        bundle.read("/dev/zero")


@pytest.mark.parametrize(("mode", "pipes"), [("device", True), ("device", False), ("pipe", False)])
def test_what_has_no_end_is_not_read(tmp_path: Path, mode: str, pipes: bool) -> None:
    path = Path("/dev/zero") if mode == "device" else tmp_path / "pipe"
    if mode == "pipe":
        os.mkfifo(path)
    with pytest.raises(OSError, match="Not a file, but a device or pipe"):
        texts.content(path, 10, pipes=pipes)


def test_a_file_is_read_up_to_a_size(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(2048))
    assert len(texts.content(path, 2048)) == 2048
    with pytest.raises(OSError, match="Larger than 1 KiB"):
        texts.content(path, 2047)
