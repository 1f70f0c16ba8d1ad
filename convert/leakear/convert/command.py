"""`leakear-convert convert`: the options of a conversion, and its report."""

import argparse
import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from leakear.convert.describe import created
from leakear.convert.quantising.quantise import MODES
from leakear.convert.verifying.gate import Limits
from leakear.edge import files
from leakear.edge.command_line import number, whole
from leakear.edge.errors import LeakearError
from leakear.edge.options import default_of, describe
from leakear.train import stderr_filter

HELP = """\
Convert a run folder of leakear-train, or a .keras file (or a SavedModel of your own) with a description:

  {"name": "mine", "spectrogram": {"reference": "full-scale", "sample_rate": 22050, "window_seconds": 10},
   "output_positive": "Leak", "threshold": 0.5, "calibration": "calibration.npz", "heldout": "heldout.npz"}

output_positive is the class of a high output: "NoLeak" for labels sorted by name, as the reference notebook
does. The two .npz hold codes (uint8, n × rows × frames, input = code / 255), labels (1 = Leak) and files (names).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("source", type=Path, metavar="RUN|FILE.keras", help="run folder, .keras file or SavedModel")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.tflite", help="model file to write")
    modes = "; ".join(f"{mode.name}: {mode.doc}" for mode in MODES.values())
    parser.add_argument("--mode", choices=MODES, default="int8", help=modes)
    parser.add_argument("--spec", type=Path, metavar="FILE.json", help="description of a network without a run folder")
    parser.add_argument("--name", default="", help="name of the model (default: the run's)")
    parser.add_argument("--calibration-windows", type=whole(2), default=200, metavar="N", help="default 200")
    parser.add_argument("--seed", type=int, default=42, help="seed for choosing the calibration windows (default 42)")
    parser.add_argument(
        "--tries", type=whole(1), default=4, help="number of calibration sets to try for a small network (default 4)"
    )
    parser.add_argument(
        "--report", type=Path, metavar="FOLDER", help="write a report and a picture of each layer's quantisation noise"
    )
    parser.add_argument(
        "--no-legacy", action="store_true", help="do not require that tflite-runtime 2.14 runs the model"
    )
    parser.add_argument(
        "--per-channel-dense",
        action="store_true",
        help="dynamic mode only: one scale per channel; tflite-runtime 2.14 cannot load it",
    )
    parser.add_argument("--no-memory-check", action="store_true", help="convert even when memory seems too small")
    parser.add_argument(
        "--trust-saved-model",
        action="store_true",
        help="load a SavedModel: its operations run here with your rights; never for one of somebody else",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--golden-span",
        type=number(0),
        default=4.0,
        metavar="X",
        help="smallest range of golden logits, in multiples of the runtimes' tolerance (default: 4)",
    )
    _add_nodedays(parser)
    _add_limits(parser)


def _add_nodedays(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--nodedays",
        type=whole(0),
        default=0,
        metavar="N",
        help="also compare alerts over N simulated days (minutes each)",
    )
    parser.add_argument(
        "--nodeday-hours",
        type=number(0, 24, above=True),
        default=24.0,
        metavar="H",
        help="hours of each simulated day (default 24)",
    )
    parser.add_argument(
        "--nodeday-step", type=number(1, 600), default=10.0, metavar="S",
        help="seconds between windows of a simulated day (default 10: all windows; 60 takes a sixth of the time)",
    )  # fmt: skip


def _add_limits(parser: argparse.ArgumentParser) -> None:
    for limit in fields(Limits):
        option = describe(limit)
        parser.add_argument(
            f"--{limit.name.replace('_', '-')}",
            type=number(0, 1), default=default_of(limit), metavar="X",
            help=f"{option.doc} (default {default_of(limit)})",
        )  # fmt: skip


def main(args: argparse.Namespace) -> int:
    """Convert, print the report, and write the file unless a limit is missed."""
    created()
    files.file(args.output, "-o")
    if args.report:
        files.folder(args.report, "--report")
    load_tensorflow()
    from leakear.convert import report
    from leakear.convert.convert import Options, convert, refuse, with_alerts
    from leakear.convert.source import load
    from leakear.convert.verifying.alerts import Days
    from leakear.edge.model import bundle

    limits = Limits(**{limit.name: getattr(args, limit.name) for limit in fields(Limits)})
    options = Options(
        args.mode,
        args.calibration_windows,
        args.seed,
        args.tries,
        args.name,
        limits=limits,
        golden_span=args.golden_span,
        per_channel_dense=args.per_channel_dense,
        legacy=not args.no_legacy,
        memory=not args.no_memory_check,
    )
    source = load(args.source, args.spec, trust_saved_model=args.trust_saved_model)
    conversion = convert(source, options)
    if args.nodedays:
        conversion = with_alerts(conversion, source, Days(args.nodedays, args.nodeday_hours, args.nodeday_step))
    print(json.dumps(report.as_json(conversion)) if args.json else report.as_text(conversion))
    if args.report:
        with writing(args.report):
            report.save(conversion, source.network, args.report)
    refuse(conversion, legacy=options.legacy)
    with writing(args.output, "; nothing was left behind"):
        bundle.write(args.output, conversion.file)
    next_command = f"leakear-edge replay --model {shlex.quote(str(args.output))} RECORDING"
    print(f"{args.output}: {len(conversion.file)} bytes; next: {next_command}", file=sys.stderr)
    return 0


@contextmanager
def writing(path: Path, consequence: str = "") -> Iterator[None]:
    """Raise LeakearError with one sentence for an OSError inside the block."""
    try:
        yield
    except OSError as error:
        raise LeakearError(f"{path} cannot be written: {error.strerror}{consequence}") from None


def load_tensorflow() -> None:
    """Import TensorFlow without its start-up messages. Raises LeakearError when it is not installed."""
    try:
        stderr_filter.load_tensorflow()
    except ImportError as error:
        raise LeakearError(
            f"the converter needs TensorFlow ({error}): pip install -e '.[convert]' in a checkout"
        ) from None
