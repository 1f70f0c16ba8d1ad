"""`leakear-edge deploy`: bring a signed model to nodes over MQTT."""

import argparse
import sys
from typing import Any

from leakear.edge.cli.models import operator
from leakear.edge.cli.models.operator import NoAnswer, Operator
from leakear.edge.command_line import place
from leakear.edge.errors import ModelError
from leakear.edge.messages.codec import MessageError
from leakear.edge.messages.reports import Identity
from leakear.edge.messages.requests import PART_BYTES, model_parts
from leakear.edge.messages.results import ModelResult
from leakear.edge.model import bundle

HELP = f"""\
Bring a signed model to one, some or all nodes. Each node checks it, then hears with it beside its own model for a day
before it decides; `state` and the dashboard say how that goes. To take it back: leakear-edge rollback.

  leakear-edge deploy new.tflite --to hill/pit-7 hill/pit-8 --broker mqtts://broker.local --username operator
  leakear-edge deploy new.tflite --to 'hill/*' --broker mqtts://broker.local --ca ca.pem --username operator
  leakear-edge deploy new.tflite --to hill/pit-7 --broker mqtt://localhost --stage     only check and keep it there

The password comes from --password-file or the variable {operator.PASSWORD}. Exit codes: 0 all nodes took it,
1 one did not, 2 wrong usage, 69 no broker, 78 the model or a file of the connection.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("model", type=place, help="model file, signed with leakear-convert sign")
    operator.add_arguments(parser, required=True)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--stage", action="store_true", help="only check and keep it on the node, to be installed later")
    how.add_argument("--no-trial", action="store_true", help="let it decide at once, without a trial; it is watched")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def main(args: argparse.Namespace) -> int:
    """Send to one node after the other; return the exit code."""
    data = bundle.read_bytes(args.model)
    info = bundle.parse(data, str(args.model)).info
    if bundle.seal(data) is None:
        raise ModelError(
            f"{args.model} is not signed, and nodes take only signed models; sign it: leakear-convert sign"
        )
    with operator.connected(args) as asker:
        rows = [
            _send(asker, node, data, stage=args.stage, trial=not args.no_trial, quiet=args.json)
            for node in asker.nodes(args.to)
        ]
    return operator.report(rows, as_json=args.json, model=info.model_id)


def _send(asker: Operator, node: Identity, data: bytes, *, stage: bool, trial: bool, quiet: bool) -> dict[str, Any]:
    """Send every part; stop at the first refusal. Return what became of it."""
    name, parts = f"{node.site}/{node.node}", -(-len(data) // PART_BYTES)
    stage_reached = ""
    for number, values in enumerate(model_parts(data, stage=stage, trial=trial), 1):
        _progress(f"{name}: part {number} of {parts}", quiet=quiet)
        try:
            answer = asker.ask(node, "model", values)
        except NoAnswer as error:
            return {"node": name, "ok": False, "stage": "", "says": str(error)}
        if not answer.ok:
            return {"node": name, "ok": False, "stage": "", "says": answer.error or "refused"}
        try:
            stage_reached = ModelResult.from_json(answer.result).stage
        except MessageError:
            return {"node": name, "ok": False, "stage": "", "says": operator.UNREADABLE}
    said = {"trial": "on trial beside the model in use", "installed": "in use, and watched", "staged": "staged"}
    return {"node": name, "ok": True, "stage": stage_reached, "says": said.get(stage_reached, stage_reached)}


def _progress(text: str, *, quiet: bool) -> None:
    if not quiet and sys.stderr.isatty():
        print(f"\r{text:60}", end="\r", file=sys.stderr, flush=True)
