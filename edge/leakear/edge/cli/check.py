"""`leakear-edge check`: is everything ready? Each finding with its remedy."""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from leakear.edge.audio.microphone import SoundDeviceSource, Source
from leakear.edge.cli import findings, probe
from leakear.edge.cli.onsite import as_owner
from leakear.edge.cli.onsite.unit import Unit, seen_by_unit
from leakear.edge.cli.onsite.unit import look as look_at_unit
from leakear.edge.clock import Clock
from leakear.edge.command_line import number
from leakear.edge.errors import ConfigError, LeakearError
from leakear.edge.node import checks
from leakear.edge.node.checks import FAULT, OK, WARNING, Finding
from leakear.edge.remote.model_store import ModelStore
from leakear.edge.settings import SYSTEM_FILE, Settings, exposed_secrets, file_in_use, unheard_hours
from leakear.edge.spec import SpectrogramSpec

HELP = """\
Look at everything the daemon needs: configuration, model, microphone, level, broker, clock, disk, permissions.

  leakear-edge check --config my.toml
  leakear-edge check --config my.toml --json      one JSON object, for scripts

Changes nothing and does not disturb a running daemon: that one is asked what it hears. The configuration of a unit
(under /etc/leakear) is looked at as the unit sees it: its state folder, credentials and user; run it with sudo. The
broker is asked as the node itself, under its client id, while no daemon runs; its availability there is then `offline`.
Exit codes: 0 no fault (a warning may end by itself), 78 configuration or model, 1 another fault.
"""

_MARKS = {OK: "ok     ", WARNING: "warning", FAULT: "FAULT  "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", type=Path, help=f"configuration file (TOML); default {SYSTEM_FILE} when it exists")
    parser.add_argument("--seconds", type=number(0, 3600, above=True), default=3.0, help="how long to listen (3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def main(args: argparse.Namespace) -> int:
    """Check, print, return the exit code."""
    found = []
    for finding in look(file_in_use(args.config), args.seconds):
        found.append(finding)
        if not args.json:
            print(_line(finding), flush=True)
    if args.json:
        json.dump({"ok": not _faulty(found), "findings": [asdict(finding) for finding in found]}, sys.stdout)
        print()
    faulty = _faulty(found)
    return 0 if not faulty else ConfigError.exit_code if faulty & {"configuration", "model"} else 1


def look(config: Path | None, seconds: float, source: Source | None = None) -> Iterator[Finding]:
    """Yield findings one by one, as the unit of the configuration sees it. `source`: instead of PortAudio."""
    with seen_by_unit(config) as unit:
        yield from _look(config, seconds, source, unit)


def _look(config: Path | None, seconds: float, source: Source | None, unit: Unit | None) -> Iterator[Finding]:
    try:
        settings = Settings.load(config)
    except ConfigError as error:
        yield Finding(
            "configuration", FAULT, str(error), "correct the file; `leakear-edge config example` shows all keys"
        )
        return
    yield Finding("configuration", OK, str(config or f"defaults: none is named (--config), and no {SYSTEM_FILE}"))
    for sentence in exposed_secrets(config, settings):
        yield Finding("secrets", WARNING, *sentence.split(": ", 1))
    for sentence in unheard_hours(settings):
        yield Finding("schedule", WARNING, *sentence.rsplit(": ", 1))
    if unit is not None and config is not None:
        yield from look_at_unit(unit, config, settings)
    finding, spec = _model(settings)
    yield finding
    if source is None and probe.daemon_runs(settings):
        yield findings.heard_by_daemon(settings.node.directory)
    else:
        yield from findings.sound(settings, spec, source or SoundDeviceSource(), seconds)
    yield checks.clock(Clock().synced)
    if unit is None or unit.visible:  # else the finding about the unit says what to do
        yield probe.broker(settings, unanswered="Until then events wait in the outbox")
        yield checks.space(settings.node.directory)
        yield checks.rights(settings.node.directory)
    if unreadable := findings.sound_devices():
        yield unreadable


def _model(settings: Settings) -> tuple[Finding, SpectrogramSpec]:
    """Load the model in use, with the rights of the unit's user: it may have come over the network."""
    options = replace(settings.model, path=str(settings.model.file.absolute()) if settings.model.path else "")
    folder = settings.node.directory

    def load(state: Path) -> Mapping[str, Any]:
        finding, model = checks.model(ModelStore(state / "models", options).reload)
        return {"finding": asdict(finding), "spec": model.info.spec.to_json() if model else None}

    try:
        found = as_owner.look(folder, load)
        given = {name: str(value)[:2000] for name, value in found["finding"].items()}
        given["detail"] = re.sub(r"^models/", f"{folder}/models/", given["detail"])
        spec = SpectrogramSpec.from_json(found["spec"]) if found["spec"] else SpectrogramSpec()
        return Finding(**given), spec
    except (LeakearError, ValueError, TypeError, KeyError, AttributeError) as error:
        return Finding("model", FAULT, str(error), "name another file in [model] path"), SpectrogramSpec()


def _faulty(found: list[Finding]) -> set[str]:
    return {finding.name for finding in found if finding.status == FAULT}


def _line(finding: Finding) -> str:
    remedy = f"\n{'':24}→ {finding.remedy}" if finding.remedy else ""
    return f"{_MARKS[finding.status]}  {finding.name:14} {finding.detail}{remedy}"
