"""`leakear-dashboard locate`: where on a pipe a leak is, from simultaneous recordings at its two ends."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakear.edge import files
from leakear.edge.command_line import Parser, ProgressLine, number, place
from leakear.edge.errors import UsageError

EPILOG = """examples:
  leakear-dashboard locate A.wav B.wav --length 84 --material steel --diameter 114 --wall 4
  leakear-dashboard locate A.wav B.wav --length 84 --material steel --speed 1180:1260 --report leak.html
  leakear-dashboard locate both.wav --length 40 --material pvc             A on the left channel, B on the right
  leakear-dashboard locate A.wav B.wav A2.wav B2.wav --length 84 --material iron     two nights, averaged
  leakear-dashboard locate A.wav B.wav --length 84 --material pe --known-source B    measures the speed

Exit codes: 0 done (a refusal with its reason too), 2 wrong usage, 65 unusable recordings, 1 anything else.
"""
_CLOCK_S, _DRIFT_PPM = 0.001, 50.0
_WHOLE = 1.25
"""Of the time of a correlation: with what follows it."""


@dataclass(frozen=True)
class Answer:
    """What the command found."""

    text: str
    """for people"""
    fields: dict[str, Any]
    """for programs"""
    page: str | None = None
    """HTML"""


def parser() -> argparse.ArgumentParser:
    """Command line."""
    raw = argparse.RawDescriptionHelpFormatter
    top = Parser("leakear-dashboard locate", description=__doc__, epilog=EPILOG, formatter_class=raw)
    top.add_argument(
        "files", type=place, nargs="+", metavar="FILE", help="A and B, further pairs A2 B2 …, or one stereo file"
    )
    _add_pipe(top.add_argument_group("pipe"))
    _add_clocks(top.add_argument_group("clocks"))
    top.add_argument("--json", action="store_true", help="print one JSON object")
    top.add_argument("--report", type=place, metavar="FILE.html", help="write a page with the curves and the pipe")
    return top


def _add_pipe(group: Any) -> None:
    from leakear.dashboard.locate.pipes import MATERIALS

    group.add_argument(
        "--length", type=number(0, 5000, above=True), required=True, metavar="M", help="along the pipe, A to B"
    )
    group.add_argument(
        "--length-uncertainty",
        type=number(0),
        metavar="M",
        help="95 %% bound of the length (1 %% of it, at least 0.1 m)",
    )
    group.add_argument("--material", choices=sorted(MATERIALS), required=True)
    group.add_argument("--diameter", type=number(0, above=True), metavar="MM", help="outer; needs --wall")
    group.add_argument(
        "--wall", type=number(0, above=True), metavar="MM", help="thickness of the wall; needs --diameter"
    )
    group.add_argument("--speed", type=_range, metavar="LOW:HIGH", help="m/s, holds the speed with 95 %% certainty")
    group.add_argument(
        "--pump",
        type=number(0),
        action="append",
        default=[],
        metavar="M",
        help="known source, m from A; repeat for several",
    )
    group.add_argument("--known-source", choices=("A", "B"), help="a known sound is at this end: measure the speed")


def _add_clocks(group: Any) -> None:
    group.add_argument(
        "--clock-uncertainty",
        type=number(0),
        metavar="S",
        help=f"95 %% bound between the recorders' clocks ({_CLOCK_S:g}; one stereo file: 0)",
    )
    group.add_argument(
        "--drift-uncertainty",
        type=number(0, 200),
        metavar="PPM",
        help=f"bound of each recorder's sample clock ({_DRIFT_PPM:g}; one stereo file: 0)",
    )
    group.add_argument(
        "--offset", type=_seconds, metavar="S", help="seconds by which B began after A (from the files, else 0)"
    )


def _range(text: str) -> tuple[float, float]:
    low, colon, high = text.partition(":")
    parse = number(0, above=True)
    return (parse(low), parse(high)) if colon else (parse(low), parse(low))


def _seconds(text: str) -> float:
    return number(-1e6, 1e6)(text)


def run(words: list[str]) -> int:
    """Run the command; return the exit code. Raises LeakearError."""
    args = parser().parse_args(words)
    if args.report:
        files.file(args.report, "--report")
    answer = _answer(args)
    if args.report and answer.page is not None:
        with files.replacing(args.report) as part:
            part.write_text(answer.page, encoding="utf-8")
    if args.json:
        print(json.dumps(answer.fields))
    else:
        print(answer.text)
        for note in answer.fields["notes"]:
            print(f"leakear-dashboard: {note}", file=sys.stderr)
    return 0


def _answer(args: argparse.Namespace) -> Answer:
    from leakear.dashboard.locate import known_source, pipes
    from leakear.dashboard.locate.answer import report, wording
    from leakear.dashboard.locate.locating import locate

    if (args.diameter is None) != (args.wall is None):
        raise UsageError("--diameter and --wall need each other: the speed depends on both")
    if args.known_source and args.report:
        raise UsageError(
            "--report shows a position, and --known-source measures the speed alone: leave one of them out"
        )
    for pump in args.pump:
        if pump > args.length:
            raise UsageError(f"--pump {pump:g} is beyond the pipe's {args.length:g} m: count from A")
    pipe = pipes.pipe(
        args.length, args.material, diameter_mm=args.diameter, wall_mm=args.wall, speed=args.speed,
        length_uncertainty=args.length_uncertainty, pumps=tuple(args.pump),
    )  # fmt: skip
    recordings, notes = _recordings(args)
    line = ProgressLine("correlating", _WHOLE * len(recordings))
    if args.known_source:
        if not args.speed:
            pipe = known_source.with_range(pipe, known_source.searched(args.material))
        speed = known_source.measure_speed(recordings, pipe, args.known_source, line.update)
        line.end()
        return Answer(wording.speed_text(speed), wording.speed_fields(speed, notes))
    location = locate(recordings, pipe, line.update)
    line.end()
    page = report.page(location, [str(path) for path in args.files]) if args.report else None
    return Answer(wording.text(location), wording.fields(location, notes), page)


def _recordings(args: argparse.Namespace) -> tuple[list[Any], list[str]]:
    from leakear.dashboard.locate import recordings
    from leakear.dashboard.locate.spectra import Clock

    stereo = len(args.files) == 1
    if not stereo and len(args.files) % 2:
        raise UsageError(f"{len(args.files)} files are no pairs: give A and B of each, or one stereo file")
    bound = args.clock_uncertainty if args.clock_uncertainty is not None else 0.0 if stereo else _CLOCK_S
    drift = args.drift_uncertainty if args.drift_uncertainty is not None else 0.0 if stereo else _DRIFT_PPM
    clock = Clock(bound, drift)
    paths: list[Path] = args.files
    if stereo:
        pairs = [recordings.two_channels(paths[0])]
    else:
        pairs = [
            (recordings.one_channel(a), recordings.one_channel(b)) for a, b in zip(paths[::2], paths[1::2], strict=True)
        ]
    made, notes = [], []
    for a, b in pairs:
        one, said = recordings.pair(a, b, clock, args.offset)
        made.append(one)
        notes += said
    return made, notes
