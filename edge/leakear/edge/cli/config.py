"""`leakear-edge config`: write, check and show a configuration."""

import argparse
import errno
from pathlib import Path

from leakear.edge import files, settings_file
from leakear.edge.command_line import place
from leakear.edge.decision.state_machine import rule_from
from leakear.edge.errors import ConfigError, UsageError
from leakear.edge.model import bundle
from leakear.edge.model.tflite import FACTORY, Model
from leakear.edge.mqtt import tls
from leakear.edge.mqtt.credentials import login
from leakear.edge.settings import SECTIONS, SYSTEM_FILE, Settings, exposed_secrets, file_in_use, unheard_hours
from leakear.edge.windows import step_samples

HELP = """\
Write, check or show a configuration.

  leakear-edge config example leakear.toml     every key with default, unit and effect (without a file: printed)
  leakear-edge config check leakear.toml       exit 0, or 78 and one sentence
  leakear-edge config show leakear.toml        what is in force, secrets masked, environment included
"""

TOLERATED = (errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors that do not stop the daemon, or concern only the user who runs this command."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("action", choices=("example", "check", "show"), help="what to do")
    parser.add_argument("file", nargs="?", type=place, help=f"configuration; default {SYSTEM_FILE} when it exists")
    parser.add_argument("--config", type=place, help="the same, as other commands name it")


def main(args: argparse.Namespace) -> int:
    """Run the subcommand."""
    if args.file and args.config:
        raise UsageError(f"name one configuration: {args.file} or --config {args.config}")
    named = args.file or args.config
    if args.action == "example":
        example(named)
        return 0
    file = file_in_use(named)
    settings = Settings.load(file)
    if args.action == "show":
        print("\n".join(settings_file.shown(SECTIONS, settings)))
        return 0
    return check(settings, file)


def example(file: Path | None) -> None:
    """Print the example, or write it to a new file. Raises ConfigError when it exists."""
    lines = list(settings_file.annotated(SECTIONS, bundle.read(FACTORY).info.decision))
    if file is None:
        print("\n".join(lines))
        return
    try:
        with file.open("x", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in lines)
    except FileExistsError:
        raise ConfigError(f"{file} exists already: remove it first, or name another file") from None
    print(f"{file}: set [node] site, [audio] device and [mqtt] host; then: leakear-edge config check {file}")


def check(settings: Settings, file: Path | None) -> int:
    """Check what the file refers to: model, certificates, folders, and the resulting rule. Raises ConfigError."""
    identity = settings.node.identity
    model = Model.configured(settings.model)
    rule = rule_from(model.info.decision, settings.decision)
    step_s = step_samples(model.info.spec, settings.window.step_s) / model.info.spec.sample_rate
    rule.check_step(step_s)
    _files(settings)
    for sentence in [*exposed_secrets(file, settings), *unheard_hours(settings)]:
        print(f"note: {sentence}")
    print(f"{file or 'built-in defaults'}: good. Node {identity.site}/{identity.node}, model {model.info.model_id},")
    broker = f"{settings.mqtt.host}:{settings.mqtt.effective_port}"
    print(f"threshold {rule.threshold:g}, a window every {step_s:g} s, broker {broker}")
    return 0


def _files(settings: Settings) -> None:
    """Check the files without which the daemon would stop; a full disk, or missing rights of this user, is a note."""
    mqtt, folder = settings.mqtt, settings.node.directory
    login(mqtt.username, mqtt.password, mqtt.password_file)
    if mqtt.tls:
        tls.context(mqtt.tls_files, mqtt.tls_minimum)
    error = files.refusal(folder)
    if error and error.errno in TOLERATED:
        print(f"note: {folder} cannot be written by this user now: {error.strerror}")
    elif error:
        raise ConfigError(f"[node] state_dir: {folder} cannot be written: {error.strerror}; name another folder")
