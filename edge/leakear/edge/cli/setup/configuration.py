"""From answers to files: what would be written, how it differs from what is there, and the writing itself.

An existing configuration is changed key by key: whatever else it holds, comments too, stays. Nothing is overwritten
without a copy that stays beside it. The configuration comes last, so that it never names a file that is not there.
"""

import difflib
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakear.edge import files, settings_file
from leakear.edge.cli.onsite import unit as units
from leakear.edge.cli.onsite.unit import Unit
from leakear.edge.cli.setup.answers import Answers, Broker
from leakear.edge.errors import ConfigError
from leakear.edge.settings import Settings

HEADER = "# Written by leakear-edge setup. All keys and what they do: leakear-edge config example\n"
_SECRET = re.compile(r"(.*\bpassword[\"']?\s*=\s*).*")


@dataclass(frozen=True)
class File:
    """One file to write."""

    path: Path
    data: bytes
    mode: int
    """of a new file"""
    secret: bool = False
    """never readable for others, whatever it was before"""


@dataclass(frozen=True)
class Plan:
    """What setup would write."""

    config: Path
    files: tuple[File, ...]
    """in the order of writing; without those that are there already"""
    settings: Settings
    """the configuration as it would be"""
    difference: str
    """of the configuration and the names of the other files, for people, secrets masked; empty: none"""
    unit: Unit | None
    """which reads the configuration"""
    answers: Answers


def before(config: Path) -> dict[str, str]:
    """Return what an existing configuration says, as answers; empty where there is none. Raises ConfigError."""
    if not config.exists():
        return {}
    given = settings_file.read(config)
    settings = Settings.from_mapping(given, str(config), {})
    mqtt, node = settings.mqtt, given.get("node", {})
    found = {"site": str(node.get("site", "")), "name": str(node.get("name", "")), "device": settings.audio.device}
    if given.get("mqtt", {}).get("host"):
        found |= {"broker": Broker(mqtt.host, mqtt.port, mqtt.tls).url, "user": mqtt.username}
    return {key: text for key, text in found.items() if text}


def planned(config: Path, answers: Answers) -> Plan:
    """Return what would be written for these answers. Raises ConfigError."""
    unit = units.of(config)
    old = settings_file.read_text(config) if config.exists() else ""
    given = settings_file.parse(old, str(config))
    ca, password = config.with_name(f"{config.stem}.ca.pem"), _password_file(config, unit)
    text = old or HEADER
    for section, values in _keys(answers, given.get("mqtt", {}), ca, None if unit else password).items():
        there = given.get(section, {})
        # What is empty or false is the default of a key that is not there: no line says so.
        new = {key: value for key, value in values.items() if (there[key] != value if key in there else value)}
        text = settings_file.with_keys(text, section, new, str(config)) if new else text
    settings = Settings.from_mapping(settings_file.parse(text, str(config)), str(config), {})
    wanted = []
    if answers.ca:
        wanted.append(File(ca, answers.ca, 0o644))
    if answers.password:
        wanted.append(File(password, f"{answers.password}\n".encode(), 0o600, secret=True))
    wanted += _credentials(unit, answers)
    wanted.append(File(config, text.encode(), 0o644 if unit else 0o600))
    changed = tuple(file for file in wanted if not _is_there(file))
    return Plan(config, changed, settings, _difference(config, old, text, changed), unit, answers)


def write(plan: Plan) -> list[Path]:
    """Write everything; return the copies of what was there before. Raises OSError."""
    copies = []
    for file in plan.files:
        file.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if file.secret else 0o755)
        if file.path.exists():
            if file.secret:
                file.path.chmod(0o600)
            copies.append(_copy(file.path))
        files.write(file.path, file.data, mode=file.mode)
    return copies


def refuse_unwritable(config: Path) -> None:
    """Refuse a configuration that could not be written, before anything is asked. Raises ConfigError."""
    error = files.refusal(config.parent)
    if config.is_dir() or error is not None:
        why = "it is a folder" if config.is_dir() or error is None else str(error.strerror)
        raise ConfigError(f"{config} cannot be written: {why}; run it as root (sudo), or name another file: --config")


@contextmanager
def as_unit(plan: Plan) -> Iterator[None]:
    """Give this process the state folder and the credentials that the node will have after the writing."""
    given = {"mqtt-password": plan.answers.password.encode(), "mqtt-ca": plan.answers.ca}
    if plan.answers.user and plan.answers.password:
        given["mqtt-username"] = plan.answers.user.encode()
    with units.seen_by_unit(plan.config, {name: data for name, data in given.items() if data}):
        yield


def next_step(plan: Plan) -> str:
    """Say what a person does next."""
    check = f"leakear-edge check --config {plan.config}"
    if plan.unit is None:
        return f"Next: {check}; then: leakear-edge run --config {plan.config}"
    return f"Next: sudo systemctl enable {plan.unit.name}; sudo systemctl restart {plan.unit.name}; then: sudo {check}"


def _keys(answers: Answers, mqtt: Mapping[str, Any], ca: Path, password: Path | None) -> dict[str, dict[str, Any]]:
    """Return section → key → value. `mqtt`: that section as it is. `password`: file to name; None: a credential."""
    broker = answers.broker
    link: dict[str, Any] = {"host": broker.host, "tls": broker.tls, "username": answers.user}
    if broker.port or "port" in mqtt:
        link["port"] = broker.port
    if answers.user == f"{answers.site}.{answers.name}":  # as systemd/broker names them: one client id for each
        link["client_id"] = answers.user
    if answers.ca:
        link["ca_file"] = str(ca)
    elif not broker.tls and mqtt.get("ca_file"):
        link["ca_file"] = ""
    if answers.password:
        if mqtt.get("password"):
            link["password"] = ""
        if password is not None:
            link["password_file"] = str(password)
    elif not answers.user:
        link |= {key: "" for key in ("password", "password_file") if mqtt.get(key)}
    return {"node": {"site": answers.site, "name": answers.name}, "audio": {"device": answers.device}, "mqtt": link}


def _password_file(config: Path, unit: Unit | None) -> Path:
    """Return where the password is kept: systemd's credentials for a unit, else beside the configuration."""
    return units.STORES[0] / f"{unit.prefix}mqtt-password" if unit else config.with_name(f"{config.stem}.mqtt-password")


def _credentials(unit: Unit | None, answers: Answers) -> Iterator[File]:
    """Yield credentials that are there and would go before what was answered."""
    found = unit.found() if unit else {}
    if answers.user and "mqtt-username" in found:
        yield File(found["mqtt-username"], f"{answers.user}\n".encode(), 0o600, secret=True)
    if answers.ca and "mqtt-ca" in found:
        yield File(found["mqtt-ca"], answers.ca, 0o600)


def _is_there(file: File) -> bool:
    try:
        return file.path.read_bytes() == file.data
    except OSError:
        return False


def _difference(config: Path, old: str, new: str, changed: tuple[File, ...]) -> str:
    secret = str(settings_file.parse(old, str(config)).get("mqtt", {}).get("password", ""))
    names = (f"{config} (now)", f"{config} (new)")
    # A password of several lines, or under a key in escapes, is no line that `masked` knows: it is not shown around.
    around = 0 if secret else 3
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), *names, n=around, lineterm="")
    lines = (line if not secret or secret not in line else line[:1] + "***" for line in map(masked, lines))
    more = [f"{'replaces' if file.path.exists() else 'writes'} {file.path}" for file in changed if file.path != config]
    return "\n".join([*lines, *more])


def masked(line: str) -> str:
    """Return a line of a configuration without the secret that it may hold."""
    found = _SECRET.match(line)
    return line if found is None else f"{found[1]}***"


def _copy(path: Path) -> Path:
    """Copy a file to a name beside it that is free; mode and owner are those of the file."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    names = [f"{path.name}.bak-{stamp}", *(f"{path.name}.bak-{stamp}-{number}" for number in range(1, 100))]
    copy = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    files.write(copy, path.read_bytes(), like=path)
    return copy
