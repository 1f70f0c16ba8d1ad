"""`leakear-edge inspect`: describe a model file; with --verify, check that it gives the converter's results here."""

import argparse
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from leakear.edge.errors import LeakearError
from leakear.edge.model import bundle
from leakear.edge.model.bundle import Bundle
from leakear.edge.model.tflite import FACTORY, RUNTIMES, Model

HELP = "Describe a model file; --verify runs its golden vector on this machine."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", nargs="?", type=Path, default=FACTORY, help="model file (default: the factory model)")
    parser.add_argument("--json", action="store_true", help="the whole description as one JSON object")
    parser.add_argument("--verify", action="store_true", help="run the golden vector on the runtime of this machine")
    parser.add_argument("--runtime", choices=("auto", *RUNTIMES), default="auto", help="for --verify")


def main(args: argparse.Namespace) -> int:
    """Print the description; with --verify, fail when the golden vector gives other results."""
    loaded = bundle.read(args.file)
    report = description(loaded)
    if args.verify:
        report["verified"] = verify(args.file, args.runtime)
    print(json.dumps(report, ensure_ascii=False) if args.json else as_text(report))
    return 0


def description(loaded: Bundle) -> dict[str, Any]:
    """Return `leakear.json`, and whether the file is signed."""
    return {**loaded.info.raw, "signed": loaded.signature is not None}


def verify(path: Path, runtime: str) -> dict[str, Any]:
    """Run the golden vector. Raises ModelError when it gives other results.

    The logits are given in full precision, so that two machines can be compared bit by bit.
    """
    model = Model.load(path, runtime)
    logits, expected = model.golden_logits(), model.bundle.golden_logits
    apart = max(abs(got - float(wanted)) for got, wanted in zip(logits, expected, strict=True))
    return {"runtime": _installed(model), "golden_logits": logits, "worst_difference": apart}


def _installed(model: Model) -> str:
    package = type(model.interpreter).__module__.partition(".")[0].replace("_", "-")
    return f"{package} {version(package)}"


def as_text(report: dict[str, Any]) -> str:
    """Return the description for people."""
    spec, decision = report["spectrogram"], report["decision"]
    band = f"{spec['band_hz'][0]:g} to {spec['band_hz'][1]:g} Hz" if spec["band_hz"] else "all frequencies"
    lines = [
        ("model", f"{report['model']['id']}, made {report['model'].get('created', 'at an unknown time')}"),
        ("listens to", f"{spec['window_seconds']:g} s at {spec['sample_rate']} Hz, {band}"),
        ("spectrogram", f"{spec['n_fft']} points, hop {spec['hop_length']}, 0 dB = {spec['reference']}"),
        ("says", f"{report['positive']} from P = {decision['threshold']:.4f} (temperature {report['temperature']:g})"),
        (
            "decision",
            ", ".join(f"{key} {value}" for key, value in decision.items() if key != "threshold") or "defaults",
        ),
        ("network", _network(report)),
        ("runs on", ", ".join(_runtime(item) for item in report.get("runtimes", {}).get("verified", [])) or "unknown"),
        ("figures", _figures(report.get("metrics", {}))),
        ("trained on", _training(report.get("training", {}))),
        ("licences", ", ".join(report.get("licences", [])) or "none given"),
        *(("attribution", text) for text in report.get("attribution", [])),
        ("signed", "yes" if report["signed"] else "no"),
    ]
    if verified := report.get("verified"):
        worst = f"worst difference {verified['worst_difference']:.4f}, {report['golden']['tolerance']:.4f} is allowed"
        lines.append(("verified", f"golden vector on {verified['runtime']}: {worst}"))
    return "\n".join(f"{key:12} {value}" for key, value in lines)


def _network(report: dict[str, Any]) -> str:
    network = report["flatbuffer"]
    operators = ", ".join(f"{item['name']} v{item['version']}" for item in network.get("ops", []))
    return f"{network['bytes']} bytes, {report.get('conversion', {}).get('mode', 'unknown mode')}: {operators}"


def _runtime(item: dict[str, Any]) -> str:
    return f"{item['package']} {item['version']}"


def _figures(metrics: dict[str, Any]) -> str:
    verdict = metrics.get("conversion", {})
    if not verdict:
        return "none given"
    return (
        f"AUC {verdict['auc_float']:.3f} in float, {verdict['auc']:.3f} converted; "
        f"{100 * verdict['agreement']:.2f} % of {verdict['windows']} windows decided alike"
    )


def _training(training: dict[str, Any]) -> str:
    split = training.get("split", {})
    digest = str(training.get("data_sha256") or "unknown")[:12]
    return f"data {digest}, {training.get('preset', 'unknown network')}, split by {split.get('by', 'unknown')}"


def _program() -> int:
    """Run as `python -m leakear.edge.cli.inspect`, where the whole command line would load too slowly."""
    parser = argparse.ArgumentParser(prog="leakear-edge inspect", description=HELP)
    add_arguments(parser)
    try:
        return main(parser.parse_args())
    except LeakearError as error:
        print(f"leakear-edge: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(_program())
