"""`leakear-edge config`: write, check and show a configuration."""

import argparse
from pathlib import Path

from leakear.edge.decision import rule_from
from leakear.edge.model import Model
from leakear.edge.settings import SYSTEM_FILE, Settings, annotated, shown
from leakear.edge.windows import step_samples

HELP = """\
Write, check or show a configuration.

  leakear-edge config example > leakear.toml   every key with default, unit and effect
  leakear-edge config check leakear.toml       exit 0, or 78 and one sentence
  leakear-edge config show leakear.toml        what is in force, secrets masked, environment included
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("action", choices=("example", "check", "show"), help="what to do")
    parser.add_argument("file", nargs="?", type=Path, help=f"configuration; default {SYSTEM_FILE} when it exists")


def main(args: argparse.Namespace) -> int:
    """Run the subcommand."""
    if args.action == "example":
        print("\n".join(annotated()))
        return 0
    path = args.file or (SYSTEM_FILE if SYSTEM_FILE.exists() else None)
    settings = Settings.load(path)
    if args.action == "show":
        print("\n".join(shown(settings)))
        return 0
    return check(settings, path)


def check(settings: Settings, path: Path | None) -> int:
    """Check what one file alone cannot tell: the model it names and the rule that results. Raises ConfigError."""
    identity = settings.node.identity
    options = settings.model
    model = Model.load(options.file, options.runtime, options.threads, options.public_key or None)
    rule = rule_from(model.info.decision, settings.decision)
    step_s = step_samples(model.info.spec, settings.window.step_s) / model.info.spec.sample_rate
    rule.check_step(step_s)
    print(f"{path or 'built-in defaults'}: good. Node {identity.site}/{identity.node}, model {model.info.model_id},")
    broker = f"{settings.mqtt.host}:{settings.mqtt.effective_port}"
    print(f"threshold {rule.threshold:g}, a window every {step_s:g} s, broker {broker}")
    return 0
