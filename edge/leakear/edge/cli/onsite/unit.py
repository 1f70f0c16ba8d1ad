"""What the unit of a configuration sees and a person at the terminal does not: state folder, credentials, its user.

`/etc/leakear/leakear.toml` belongs to `leakear.service`, `/etc/leakear/NAME.toml` to `leakear@NAME.service`.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from leakear.edge import files
from leakear.edge.mqtt import credentials
from leakear.edge.node.checks import FAULT, OK, WARNING, Finding
from leakear.edge.options import path as path_of
from leakear.edge.settings import SYSTEM_FILE, Settings

STATE, STATES = "STATE_DIRECTORY", Path("/var/lib/leakear")
UNITS = tuple(
    map(Path, ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"))
)
STORES = tuple(map(Path, ("/etc/credstore", "/run/credstore", "/usr/lib/credstore")))
"""Folders in which systemd looks for a credential, in this order."""
HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user")))
"""Folders that the unit does not see (ProtectHome)."""
SECRETS = ("mqtt-username", "mqtt-password", "mqtt-ca", "mqtt-client-certificate", "mqtt-client-key")


@dataclass(frozen=True)
class Unit:
    """The unit of a configuration on this machine."""

    name: str
    state: Path
    prefix: str
    """of the names of its credentials in the store"""

    @property
    def visible(self) -> bool:
        """Whether this user sees its credentials and its state: only root does."""
        return os.geteuid() == 0

    def found(self) -> dict[str, Path]:
        """Return credential → its file, of those that this user can see."""
        places = {name: [store / f"{self.prefix}{name}" for store in STORES] for name in SECRETS}
        first = {name: next((path for path in paths if _exists(path)), None) for name, paths in places.items()}
        return {name: path for name, path in first.items() if path is not None}


def of(config: Path | None) -> Unit | None:
    """Return the unit of a configuration; None: it belongs to none, or this process runs in it."""
    if config is None or STATE in os.environ or config.absolute().parent != SYSTEM_FILE.parent:
        return None
    single = config.name == SYSTEM_FILE.name
    file = "leakear.service" if single else "leakear@.service"
    if not any((folder / file).exists() for folder in UNITS):
        return None
    if single:
        return Unit(file, STATES, "")
    return Unit(f"leakear@{config.stem}.service", STATES / config.stem, f"{config.stem}.")


@contextmanager
def seen_by_unit(config: Path | None, given: Mapping[str, bytes] = MappingProxyType({})) -> Iterator[Unit | None]:
    """Give this process the state folder and the credentials of the unit, where the configuration has one.

    `given`: credentials, by name, instead of those in the store; they hold without a unit, too.
    """
    unit = of(config)
    if unit is None and not given:
        yield None
        return
    before = {name: os.environ.get(name) for name in (STATE, credentials.DIRECTORY)}
    with TemporaryDirectory(prefix="leakear-credentials-") as folder:
        for name, path in (unit.found() if unit else {}).items():
            if name not in given:
                (Path(folder) / name).symlink_to(path)
        for name, data in given.items():
            files.write(Path(folder) / name, data, mode=0o600)
        os.environ |= ({STATE: str(unit.state)} if unit else {}) | {credentials.DIRECTORY: folder}
        try:
            yield unit
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def look(unit: Unit, config: Path, settings: Settings) -> Iterator[Finding]:
    """Yield what is wrong with what the unit's user may read, else what it has."""
    if not unit.visible:
        remedy = f"run it as root, to see what the unit sees: sudo leakear-edge check --config {config}"
        yield Finding("unit", WARNING, f"{unit.name}: this user may see neither its credentials nor its state", remedy)
        return
    unreadable = [path for path in (config, *_named(settings)) if not _unit_reads(path)]
    for path in unreadable:
        remedy = "put secrets into /etc/credstore, other files into /etc/leakear, and chmod o+r"
        yield Finding("unit", FAULT, f"{path} cannot be read by the user of {unit.name}", remedy)
    if not unreadable:
        secrets = ", ".join(unit.found()) or "none"
        yield Finding("unit", OK, f"seen as {unit.name}: state in {settings.node.directory}, credentials: {secrets}")


def _named(settings: Settings) -> Iterator[Path]:
    mqtt, model = settings.mqtt, settings.model
    names = (mqtt.password_file, mqtt.ca_file, mqtt.client_certificate, mqtt.client_key, model.path, model.public_key)
    yield from (path_of(name) for name in names if name)


def _unit_reads(path: Path) -> bool:
    """Whether a user that owns nothing here may read a file. One that is not there is somebody else's finding."""
    real = Path(os.path.realpath(path))
    if any(real.is_relative_to(folder) for folder in HIDDEN):
        return False
    try:
        folders = all(folder.stat().st_mode & stat.S_IXOTH for folder in real.parents)
        return folders and bool(real.stat().st_mode & stat.S_IROTH)
    except OSError:
        return True


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False
