"""`leakear-edge rollback`: use a model again that was in use before, on this node or on others over MQTT."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from leakear.edge.cli.models import operator
from leakear.edge.cli.models.operator import NoAnswer, Operator
from leakear.edge.cli.onsite import as_owner, daemon
from leakear.edge.cli.onsite.unit import seen_by_unit
from leakear.edge.command_line import number
from leakear.edge.errors import UsageError
from leakear.edge.messages.codec import MessageError
from leakear.edge.messages.reports import CommandResult, Identity
from leakear.edge.messages.results import ModelResult
from leakear.edge.model.tflite import ModelOptions
from leakear.edge.remote.model_store import ModelStore
from leakear.edge.settings import Settings, file_in_use

HELP = """\
Use a model again that was in use before; a trial ends. The factory model is always there.

  sudo leakear-edge rollback --config /etc/leakear/leakear.toml          on this node, to the model before
  sudo leakear-edge rollback --config /etc/leakear/leakear.toml --list   which models this node may use
  leakear-edge rollback --model factory --to hill/pit-7 --broker mqtts://broker.local --username operator
  leakear-edge rollback --list --to 'hill/*' --broker mqtts://broker.local --username operator

On the node itself the daemon does it within a second, or at its next start. Exit codes: 0 done, 1 a node refused or did
not answer, 2 wrong usage, 69 no broker, 78 configuration.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("--config", type=Path, help="configuration of the node on this machine")
    parser.add_argument(
        "--model", default="", help="id, first digits of the SHA-256, factory or configured (the one before)"
    )
    parser.add_argument("--list", action="store_true", help="only say which models there are")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--answer-within", type=number(0, 600), default=15.0, help="s to wait for the daemon on this machine (15)"
    )
    operator.add_arguments(parser, required=False)


def main(args: argparse.Namespace) -> int:
    """Do it here or from afar; return the exit code."""
    if args.broker or args.to:
        if not (args.broker and args.to) or args.config:
            raise UsageError("name --to and --broker for nodes elsewhere, or --config for the node on this machine")
        with operator.connected(args) as asker:
            rows = [_ask(asker, node, args) for node in asker.nodes(args.to)]
        return operator.report(rows, as_json=args.json)
    config = file_in_use(args.config)
    with seen_by_unit(config):
        settings = Settings.load(config)
        folder = settings.node.directory
        return _list_here(folder, settings.model, args) if args.list else _here(folder, args)


def _ask(asker: Operator, node: Identity, args: argparse.Namespace) -> dict[str, Any]:
    """Ask one node. Return what became of it."""
    row: dict[str, Any] = {"node": f"{node.site}/{node.node}", "ok": False}
    values = {"action": "list"} if args.list else {"action": "rollback", **({"to": args.model} if args.model else {})}
    try:
        answer = asker.ask(node, "model", values)
    except NoAnswer as error:
        return row | {"says": str(error)}
    if not answer.ok:
        return row | {"says": answer.error or "refused"}
    result = _result(answer)
    if result is None:
        return row | {"says": operator.UNREADABLE}
    if args.list:
        models = [model.to_dict() for model in result.models]
        return row | {"ok": True, "models": models, "says": _words(models)}
    return row | {"ok": True, "says": f"{_used(result)} is in use again"}


def _list_here(folder: Path, options: ModelOptions, args: argparse.Namespace) -> int:
    def look(state: Path) -> dict[str, Any]:
        found = ModelStore(state / "models", options).models()
        return {"models": [{"id": i.model_id, "sha256": i.flatbuffer_sha256, "use": use} for _, i, use in found]}

    options = replace(options, path=str(options.file.absolute()) if options.path else "")
    models = [dict(model) for model in as_owner.look(folder, look)["models"]]
    print(json.dumps({"models": models}) if args.json else _words(models, "\n"))
    return 0


def _here(folder: Path, args: argparse.Namespace) -> int:
    """Ask the daemon of this machine, and wait for its answer."""
    values = {"action": "rollback", **({"to": args.model} if args.model else {})}
    answer = daemon.ask(folder, "model", values, args.answer_within)
    if answer is None:
        ok, says = None, "The daemon does not run, or does not answer: it is done when it starts the next time."
    else:
        ok, says = answer.ok, f"{_used(_result(answer))} is in use again." if answer.ok else answer.error or "refused"
    if args.json:
        print(json.dumps({"ok": ok, "says": says}))
    else:
        print(says, file=sys.stderr if ok is False else sys.stdout)
    return 1 if ok is False else 0


def _result(answer: CommandResult) -> ModelResult | None:
    """Return what a node says; None: it cannot be read."""
    try:
        return ModelResult.from_json(answer.result)
    except MessageError:
        return None


def _used(result: ModelResult | None) -> str:
    return result.model.id if result is not None and result.model is not None else "a model"


def _words(models: list[dict[str, Any]], between: str = "; ") -> str:
    return between.join(f"{model['id']} ({model['use']})" for model in models)
