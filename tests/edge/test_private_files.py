"""What a node writes can be read by its user alone; secrets that everybody reads are named."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from leakear.edge import settings_file
from leakear.edge.cli import check, config
from leakear.edge.errors import ConfigError
from leakear.edge.mqtt.credentials import login
from leakear.edge.outbox.queue import Outbox
from leakear.edge.settings import Settings, exposed_secrets
from tests.support.factory import event


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_outbox_is_private_whatever_the_umask_and_an_old_one_becomes_so(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        folder = tmp_path / "state"
        with Outbox(folder / "outbox.db") as box:
            box.put(event())
            assert {mode(path) for path in folder.iterdir()} == {0o600}
        assert mode(folder) == 0o700
        (folder / "outbox.db").chmod(0o644)
        with Outbox(folder / "outbox.db"):
            assert mode(folder / "outbox.db") == 0o600
    finally:
        os.umask(before)


def test_a_replay_leaves_nothing_that_others_may_read(tmp_path: Path) -> None:
    file = tmp_path / "leakear.toml"
    file.write_text(f'[node]\nsite = "hill"\nstate_dir = "{tmp_path}/state"\n[mqtt]\nhost = "127.0.0.1"\nport = 9\n')
    command = [sys.executable, "-m", "leakear.edge.cli", "replay", "--config", str(file), "--simulated-day"]
    subprocess.run([*command, "--minutes", "1", "--deadline", "0"], capture_output=True, check=False, umask=0o022)
    found = list((tmp_path / "state").rglob("*"))
    assert found
    assert [path for path in found if mode(path) & 0o077] == []


@pytest.mark.parametrize(("file_mode", "warned"), [(0o644, True), (0o640, False), (0o600, False)])
def test_a_password_that_everybody_may_read_is_named_but_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file_mode: int, *, warned: bool
) -> None:
    file = tmp_path / "leakear.toml"
    file.write_text(f'[node]\nstate_dir = "{tmp_path}"\n[mqtt]\nusername = "n"\npassword = "geheim"\n')
    file.chmod(file_mode)
    settings = Settings.load(file)
    assert bool(exposed_secrets(file, settings)) == warned
    assert config.check(settings, file) == 0
    said = capsys.readouterr().out
    assert (f"chmod o-r {file}" in said) == warned
    assert "geheim" not in said
    finding = next(iter(list(check.look(file, 0.1))[1:2]))
    assert (finding.name == "secrets") == warned


def test_a_password_file_that_everybody_may_read_is_named(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("geheim")
    secret.chmod(0o644)
    settings = Settings.from_mapping({"mqtt": {"username": "n", "password_file": str(secret)}}, environment={})
    assert [str(secret) in sentence for sentence in exposed_secrets(None, settings)] == [True]
    secret.chmod(0o600)
    assert exposed_secrets(None, settings) == []


def test_files_of_windows_editors_are_read_or_named(tmp_path: Path) -> None:
    bom = tmp_path / "bom.toml"
    bom.write_bytes(b'\xef\xbb\xbf[node]\r\nsite = "hill"\r\n')
    assert settings_file.read(bom) == {"node": {"site": "hill"}}
    wide = tmp_path / "wide.toml"
    wide.write_bytes('[node]\nsite = "hill"\n'.encode("utf-16"))
    with pytest.raises(ConfigError, match=r"wide\.toml.*UTF-16.*save it as UTF-8"):
        settings_file.read(wide)
    word = tmp_path / "word"
    word.write_bytes(b"\xef\xbb\xbfgeheim\r\n")
    assert login("n", "", str(word)).password == "geheim"
    word.write_bytes("geheim".encode("utf-16"))
    with pytest.raises(ConfigError, match="UTF-8"):
        login("n", "", str(word))


@pytest.mark.parametrize(
    "given",
    [{"mqtt": {"password": 123}}, {"mqtt": {"password": ["geheim-1"]}}, {"mqtt": {"host": "ana:geheim-1@broker"}}],
)
def test_a_secret_is_in_no_error(given: dict[str, dict[str, object]]) -> None:
    with pytest.raises(ConfigError) as refused:
        Settings.from_mapping(given, environment={})
    assert "123" not in str(refused.value)
    assert "geheim-1" not in str(refused.value)
