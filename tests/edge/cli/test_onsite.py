"""Commands on a node see what its unit sees, and ask the daemon that runs."""

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from leakear.edge.cli import check
from leakear.edge.cli.onsite import as_owner, unit
from leakear.edge.errors import LeakearError
from leakear.edge.messages.reports import CommandResult
from leakear.edge.mqtt.credentials import login
from leakear.edge.outbox import sequence
from leakear.edge.remote import onsite
from leakear.edge.settings import Settings
from tests.support.broker import Broker
from tests.support.living_node import LEAK, living_node
from tests.support.places import TINY


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine with both units, below a folder that everybody may enter."""
    tmp_path = Path(tempfile.mkdtemp(prefix="leakear-machine-"))
    tmp_path.chmod(0o755)
    for name in ("etc", "units", "store", "state"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o755)  # whatever the umask is
    for name in ("leakear.service", "leakear@.service"):
        (tmp_path / "units" / name).touch()
    monkeypatch.setattr(unit, "SYSTEM_FILE", tmp_path / "etc" / "leakear.toml")
    monkeypatch.setattr(unit, "UNITS", (tmp_path / "units",))
    monkeypatch.setattr(unit, "STORES", (tmp_path / "store",))
    monkeypatch.setattr(unit, "STATES", tmp_path / "state")
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    yield tmp_path
    shutil.rmtree(tmp_path)


def written(machine: Path, name: str = "leakear.toml", port: int = 9, more: str = "") -> Path:
    path = machine / "etc" / name
    path.write_text(f"[model]\npath = '{TINY}'\n[mqtt]\nhost = '127.0.0.1'\nport = {port}\nusername = 'n'\n{more}")
    path.chmod(0o644)
    return path


def test_what_is_no_file_of_the_daemon_is_no_answer(tmp_path: Path) -> None:
    """A pipe would let root wait for ever, a link would let it read anything."""
    place = tmp_path / onsite.ANSWER
    os.mkfifo(place)
    assert onsite.answer(tmp_path, "r") is None
    place.unlink()
    (tmp_path / "other").write_bytes(CommandResult(id="r", ok=True, error=None, result={}).to_json())
    place.symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic links"):
        onsite.answer(tmp_path, "r")


def test_state_and_credentials_are_those_of_the_unit(machine: Path) -> None:
    (machine / "store" / "mqtt-password").write_text("one")
    (machine / "store" / "cellar.mqtt-password").write_text("two")
    for name, folder, word in (
        ("leakear.toml", machine / "state", "one"),
        ("cellar.toml", machine / "state" / "cellar", "two"),
    ):
        with unit.seen_by_unit(written(machine, name)) as found:
            assert found is not None
            settings = Settings.load(machine / "etc" / name)
            assert (settings.node.directory, login("n", "", "").password) == (folder, word)
        assert "STATE_DIRECTORY" not in os.environ
        assert "CREDENTIALS_DIRECTORY" not in os.environ


def test_a_configuration_elsewhere_and_the_unit_itself_are_left_alone(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unit.of(None) is None
    assert unit.of(machine / "my.toml") is None
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/leakear")
    assert unit.of(written(machine)) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees what the unit sees")
def test_what_the_user_of_the_unit_cannot_read_is_a_fault(machine: Path) -> None:
    key = machine / "etc" / "key.pem"
    key.touch(0o600)
    path = written(machine, more="[commands]\nenabled = true\n[audio]\n")
    (found,) = [finding for finding in check.look(path, 0.1) if finding.name == "unit"]
    assert (found.status, f"state in {machine / 'state'}" in found.detail) == ("ok", True)
    path = written(machine, more="password_file = '/root/secret'\n")
    path.chmod(0o600)
    found, other = [finding for finding in check.look(path, 0.1) if finding.name == "unit"]
    assert (found.status, str(path) in found.detail) == ("fault", True)
    assert (other.status, "/root/secret cannot be read" in other.detail) == ("fault", True)


def test_a_daemon_that_runs_is_asked_what_it_hears(broker: Broker, tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    state = tmp_path / "state"
    config.write_text(
        f"[node]\nsite = 'hill'\nname = 'pit-7'\nstate_dir = '{state}'\n[model]\npath = '{TINY}'\n"
        f"[mqtt]\nhost = '127.0.0.1'\nport = {broker.port}\n"
    )
    with living_node(broker, state) as life:
        life.hear(10, LEAK)
        found: list[check.Finding] = []
        looker = threading.Thread(target=lambda: found.extend(check.look(config, 1.0)))
        looker.start()
        at = 1010.0
        while looker.is_alive():
            at += 0.5
            life.node.idle(at, at + 1.8e9)
            looker.join(0.02)
    sound = {finding.name: finding for finding in found}["sound"]
    assert (sound.status, "dBFS, says the daemon" in sound.detail) == ("ok", True)
    assert "fault" not in {finding.status for finding in found if finding.name not in ("device", "permissions")}


def test_root_follows_no_link_of_the_daemons_user(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    for name in (onsite.ASK, onsite.ANSWER):
        (tmp_path / name).symlink_to(precious)
    onsite.ask(tmp_path, "r", "selftest", {})
    assert precious.read_text() == "precious"
    assert not (tmp_path / onsite.ASK).is_symlink()


@pytest.fixture
def foreign(machine: Path) -> Path:
    """The state folder of a unit's user, who owns it and everything in it."""
    if os.geteuid() != 0:
        pytest.skip("only root can give up its rights")
    state = machine / "state"
    (state / "models").mkdir()
    for path in (state, state / "models"):
        os.chown(path, 65534, 65534)
    return state


def test_root_looks_at_the_state_with_the_rights_of_its_user(foreign: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root's own")
    secret.chmod(0o600)
    (foreign / "link").symlink_to(secret)

    def look(state: Path) -> dict[str, object]:
        try:
            read = (state / "link").read_text()
        except PermissionError:
            read = "refused"
        (state / "made").touch()
        terminal = any(os.isatty(descriptor) for descriptor in range(3))
        return {"who": os.getresuid() + os.getresgid(), "more": os.getgroups(), "read": read, "terminal": terminal}

    found = as_owner.look(foreign, look)
    assert found == {"who": [65534] * 6, "more": [], "read": "refused", "terminal": False}
    assert (foreign / "made").stat().st_uid == 65534
    assert os.geteuid() == 0


@pytest.mark.parametrize("answer", ["nothing", "no object", "too much"])
def test_an_answer_that_is_none_is_an_error(foreign: Path, answer: str) -> None:
    def look(_state: Path) -> dict[str, object]:
        if answer == "nothing":
            raise ValueError("damaged")
        return {"a": "a" * as_owner.MOST_BYTES} if answer == "too much" else []  # type: ignore[return-value]

    with pytest.raises(LeakearError, match="with the rights of its user"):
        as_owner.look(foreign, look)


def test_check_loads_the_units_model_without_roots_rights(foreign: Path, machine: Path, tmp_path: Path) -> None:
    """A ledger that is a link to what only root may read is not read."""
    ledger = tmp_path / "ledger.json"
    ledger.write_text('{"installed": "none.tflite"}')
    ledger.chmod(0o600)
    (foreign / "models" / "ledger.json").symlink_to(ledger)
    shutil.copy(TINY, machine / "etc" / "tiny.tflite")
    (machine / "etc" / "tiny.tflite").chmod(0o644)
    path = written(machine)
    path.write_text(path.read_text().replace(str(TINY), str(machine / "etc" / "tiny.tflite")))
    (found,) = [finding for finding in check.look(path, 0.1) if finding.name == "model"]
    assert (found.status, "computes its golden vector" in found.detail) == ("ok", True)


def test_whether_a_daemon_runs_is_asked_without_making_or_following_anything(tmp_path: Path) -> None:
    place = tmp_path / "outbox.seq"
    with pytest.raises(FileNotFoundError):
        sequence.held(place)
    assert list(tmp_path.iterdir()) == []
    other = sequence.Sequence(tmp_path / "other")
    place.symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic links"):
        sequence.held(place)
    assert sequence.held(tmp_path / "other")
    other.close()
    assert not sequence.held(tmp_path / "other")
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(OSError, match="no file"):
        sequence.held(place)
