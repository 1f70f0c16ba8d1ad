"""The configuration of one node: one section a module that has options, put together and checked.

Unknown keys, wrong types and impossible values are refused with the file, the key and the remedy; nothing is guessed.
An environment variable `LEAKEAR_SECTION_KEY` overrides a key of the file (`LEAKEAR_MQTT_HOST=broker.local`).
"""

import logging
import math
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from leakear.edge import settings_file
from leakear.edge.audio.capture import CaptureOptions
from leakear.edge.decision.nights import HEARD
from leakear.edge.decision.state_machine import DecisionRule, rule_from
from leakear.edge.errors import ConfigError
from leakear.edge.evidence.recorder import EvidenceOptions
from leakear.edge.fields import declared
from leakear.edge.health.monitor import HealthOptions
from leakear.edge.messages.reports import Identity
from leakear.edge.metrics import MetricsOptions
from leakear.edge.model.tflite import ModelOptions
from leakear.edge.mqtt.dispatcher import CommandOptions
from leakear.edge.mqtt.homeassistant import HomeassistantOptions
from leakear.edge.mqtt.link import MqttOptions
from leakear.edge.options import option
from leakear.edge.options import path as path_of
from leakear.edge.outbox.queue import OutboxOptions
from leakear.edge.recording.options import RecordingOptions
from leakear.edge.schedule import ScheduleOptions
from leakear.edge.windows import WindowOptions

log = logging.getLogger(__name__)

SYSTEM_FILE = Path("/etc/leakear/leakear.toml")


def file_in_use(named: Path | None) -> Path | None:
    """Return the configuration file to read: the one that was named, else the system's if it exists, else None."""
    return named or (SYSTEM_FILE if SYSTEM_FILE.exists() else None)


@dataclass(frozen=True)
class NodeOptions:
    """[node]: who this node is and where it keeps what must survive a restart."""

    site: str = option("site", "name of the place, one MQTT topic level: letters, digits, _ and -")
    name: str = option("", "name of the node, one MQTT topic level; empty: the host name")
    state_dir: str = option("", "folder of the outbox and the node's memory; empty: systemd's StateDirectory")
    telemetry_s: float = option(60.0, "s between telemetry messages", minimum=1, maximum=86400)

    def __post_init__(self) -> None:
        """Refuse names MQTT could not carry. Raises ConfigError."""
        try:
            Identity(self.site, self.name or "node")
        except ConfigError as error:
            raise ConfigError(f"[node] {error}".replace("[node] node", "[node] name")) from None

    @property
    def identity(self) -> Identity:
        """Topic names of this node. Raises ConfigError for names MQTT could not carry."""
        name = (
            self.name
            or "".join(c if (c.isascii() and c.isalnum()) or c in "_-" else "-" for c in socket.gethostname())[:64]
        )
        return Identity(self.site, name)

    @property
    def directory(self) -> Path:
        """Where the node may write."""
        chosen = self.state_dir or os.environ.get("STATE_DIRECTORY", "").split(":")[0]
        if chosen:
            return path_of(chosen)
        base = os.environ.get("XDG_STATE_HOME")
        return (Path(base) if base else Path.home() / ".local" / "state") / "leakear"


@dataclass(frozen=True)
class LogOptions:
    """[log]: what reaches the journal."""

    level: str = option("info", "least important line written", choices=("debug", "info", "warning", "error"))


@dataclass(frozen=True)
class Settings:
    """Everything a site may configure; each section belongs to the module that uses it."""

    node: NodeOptions = field(default_factory=NodeOptions)
    audio: CaptureOptions = field(default_factory=CaptureOptions)
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    window: WindowOptions = field(default_factory=WindowOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    health: HealthOptions = field(default_factory=HealthOptions)
    decision: Mapping[str, Any] = field(default_factory=dict)
    """only the keys of `DecisionRule` that the site sets; the model file has the others"""
    mqtt: MqttOptions = field(default_factory=MqttOptions)
    outbox: OutboxOptions = field(default_factory=OutboxOptions)
    evidence: EvidenceOptions = field(default_factory=EvidenceOptions)
    recording: RecordingOptions = field(default_factory=RecordingOptions)
    homeassistant: HomeassistantOptions = field(default_factory=HomeassistantOptions)
    commands: CommandOptions = field(default_factory=CommandOptions)
    metrics: MetricsOptions = field(default_factory=MetricsOptions)
    log: LogOptions = field(default_factory=LogOptions)

    @classmethod
    def load(cls, path: str | Path | None = None, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read a configuration file (None: defaults alone). Raises ConfigError."""
        where = str(path) if path else "built-in defaults"
        return cls.from_mapping(settings_file.read(Path(path)) if path else {}, where, environment)

    @classmethod
    def from_mapping(
        cls, given: Mapping[str, Any], where: str = "settings", environment: Mapping[str, str] | None = None
    ) -> "Settings":
        """Check a mapping of sections. Raises ConfigError that names `where`, the key and the remedy.

        `environment` (None: of this process) overrides it.
        """
        merged = settings_file.merged(given, SECTIONS, os.environ if environment is None else environment, where)
        for section, key in REMOVED:
            if merged.get(section, {}).pop(key, None) is not None:
                log.warning("%s: [%s] %s has no effect any more: remove it", where, section, key)
        sections: dict[str, Any] = {}
        for name, body in merged.items():
            checked = settings_file.checked(SECTIONS[name], body, f"{where}: [{name}]")
            sections[name] = checked if name == "decision" else _built(SECTIONS[name], checked, where)
        asleep_s = sections.get("schedule", ScheduleOptions()).longest_sleep_s
        if asleep_s and "session_expiry_s" not in merged.get("mqtt", {}):  # commands wait at the broker for the waking
            chosen = replace(sections.get("mqtt", MqttOptions()), session_expiry_s=round(asleep_s) + 3600)
            sections["mqtt"] = chosen
        return cls(**sections)


def exposed_secrets(path: Path | None, settings: Settings) -> list[str]:
    """Return a sentence for each file that holds a secret and that every user of this machine may read."""
    found = []
    given = settings_file.read(path) if path else {}
    secret = [(name, each.key) for name, owner in SECTIONS.items() for each in declared(owner) if each.rule.secret]
    kept = [f"[{name}] {key}" for name, key in secret if given.get(name, {}).get(key)]
    if path and kept and _everybody_reads(path):
        found.append(
            f"{path} holds {', '.join(kept)} and every user may read it: put the secret into a credential"
            f" (docs/DELIVERY.md), or chmod o-r {path}"
        )
    for key in ("password_file", "client_key"):
        named = getattr(settings.mqtt, key)
        if named and _everybody_reads(path_of(named)):
            found.append(f"{named} ([mqtt] {key}) holds a secret and every user may read it: chmod o-r {named}")
    return found


def unheard_hours(settings: Settings) -> list[str]:
    """Return a sentence for each decision that is never made, because the node sleeps in the hours that it needs."""
    rule = rule_from({}, settings.decision)
    listen = f"[schedule] listen = {list(settings.schedule.listen)}"
    found = []
    warm_min = math.ceil(rule.span_s / 120)  # until half a span has been heard, nothing is compared with the background
    if rule.rise_db and settings.schedule.share_heard(*rule.night_minutes, warm_min=warm_min) <= HEARD:
        found.append(
            f"{listen} leaves too little of [decision] night = {rule.night!r}: more than half of it must be heard, the"
            f" first {warm_min} min after a sleep not counted. So no night is ever compared with the others, faint"
            " leaks are not found, and the limits of this place are not learnt: let both hold the same hours"
        )
    quiet = rule.quiet_interval
    if quiet and rule.time_zone and not settings.schedule.share_heard(*quiet):
        found.append(
            f"{listen} leaves out [decision] quiet_hours = {rule.quiet_hours!r}: no LEAK is confirmed within the hour:"
            " let both hold the same hours"
        )
    return found


def _everybody_reads(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o004)
    except OSError:
        return False


REMOVED = (("log", "windows"),)
"""(section, key) of options of older versions: still accepted, without effect."""

SECTIONS: Mapping[str, type[Any]] = {
    "node": NodeOptions,
    "audio": CaptureOptions,
    "schedule": ScheduleOptions,
    "window": WindowOptions,
    "model": ModelOptions,
    "health": HealthOptions,
    "decision": DecisionRule,
    "mqtt": MqttOptions,
    "outbox": OutboxOptions,
    "evidence": EvidenceOptions,
    "recording": RecordingOptions,
    "homeassistant": HomeassistantOptions,
    "commands": CommandOptions,
    "metrics": MetricsOptions,
    "log": LogOptions,
}


def _built(owner: type[Any], values: Mapping[str, Any], where: str) -> Any:
    try:
        return owner(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
