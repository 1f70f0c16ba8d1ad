"""`leakear-convert verify`: checks a model file's hash, signature, and golden vector on every installed runtime."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from leakear.convert.quantising.flatbuffer import operators
from leakear.convert.verifying import runtimes
from leakear.convert.verifying.verify import check_runtimes
from leakear.edge.errors import ModelError
from leakear.edge.model import bundle, signature
from leakear.edge.model.bundle import Bundle

HELP = "Check a model file: hash, golden vector on every installed runtime, signature with --key."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", type=Path, help="model file")
    parser.add_argument(
        "--key", type=Path, metavar="PUBLIC.pem", help="require a signature by the private key of this public key"
    )
    parser.add_argument("--json", action="store_true", help="print the results as one JSON object")


def main(args: argparse.Namespace) -> int:
    """Print the results. Raises ModelError when a check fails."""
    data, name = bundle.read_bytes(args.file), str(args.file)
    sealed = bool(args.key) and signature.check_seal(data, args.key, name, needed=False)
    loaded = bundle.parse(data, name)
    if args.key and not sealed:
        signature.check(loaded, args.key, name)
    found = [*_runtimes(loaded), _operators(loaded)]
    if args.json:
        print(json.dumps({"model": loaded.info.model_id, "signed": loaded.signature is not None, "findings": found}))
    else:
        print(_text(loaded, found, signed_by=args.key))
    if bad := [item for item in found if item["ok"] is False]:
        raise ModelError(f"{args.file}: {'; '.join(item['name'] + ': ' + item['detail'] for item in bad)}")
    return 0


def _runtimes(loaded: Bundle) -> list[dict[str, Any]]:
    """Run the golden vector on every runtime; `ok` is None for a runtime that is not installed."""
    outcomes = [runtimes.score(runtime, loaded.flatbuffer, loaded.golden_inputs) for runtime in runtimes.known()]
    expected = loaded.golden_logits.astype(np.float64)
    return [
        {
            "name": outcome.title,
            "ok": None if not outcome.runtime.present else not outcome.error,
            "detail": outcome.error or "golden vector comes out",
        }
        for outcome in check_runtimes(outcomes, expected, loaded.info.golden_tolerance)
    ]


def _operators(loaded: Bundle) -> dict[str, Any]:
    """Compare the operators with those recorded."""
    found, recorded = operators(loaded.flatbuffer), loaded.info.raw["flatbuffer"].get("ops")
    same = found == recorded
    return {
        "name": "operators",
        "ok": same,
        "detail": "as recorded" if same else "the operators are not those recorded",
    }


def _text(loaded: Bundle, found: list[dict[str, Any]], signed_by: Path | None) -> str:
    symbols = {True: "ok ", False: "BAD", None: " – "}
    signature = "not signed" if loaded.signature is None else "signed"
    lines = [f"{loaded.info.model_id}: hashes as recorded, {signature}{f' by {signed_by}' if signed_by else ''}"]
    return "\n".join([*lines, *(f"  {symbols[item['ok']]} {item['name']}: {item['detail']}" for item in found)])
