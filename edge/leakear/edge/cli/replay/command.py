"""`leakear-edge replay`: recordings through the very same daemon, as fast as the machine can or at a chosen speed."""

import argparse
import math
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import takewhile
from tempfile import TemporaryDirectory

from leakear.edge.audio.blocks import Block
from leakear.edge.audio.channels import Choice, choice
from leakear.edge.audio.reading_progress import shown
from leakear.edge.audio.start_time import start_of
from leakear.edge.cli.replay.printer import Printer
from leakear.edge.cli.replay.reel import Reel
from leakear.edge.clock import FixedClock
from leakear.edge.command_line import number, place, whole
from leakear.edge.compose import open_node
from leakear.edge.errors import DeliveryError, InputDataError, UsageError
from leakear.edge.node.node import CHANGE, Node
from leakear.edge.node.systemd import log_to_stderr
from leakear.edge.settings import Settings
from leakear.edge.simulation import demo_day

HELP = """\
Put recordings through the very same daemon: windows, health, score, decision and, with a configuration, MQTT.

  leakear-edge replay night.wav                         what the factory model says of it
  leakear-edge replay --json *.wav                      one JSON object a line: windows and events
  leakear-edge replay --repeat 360 leak.wav             ten seconds of a steady leak, an hour long
  leakear-edge replay --config leakear.toml night.wav   also deliver to the configured broker
  leakear-edge replay --speed 1 night.wav               in real time
  arecord -f S16_LE -r 48000 | leakear-edge replay -    what another program records

Files: every format of libsndfile (WAV, RF64, FLAC, Ogg, Opus, MP3, AIFF, AU, CAF …), and M4A, AMR and WebM where
ffmpeg is installed. A damaged or truncated one is refused; one without a length in its header is read to its end.

Without --config nothing is sent and nothing is kept. With it the node learns from recordings as from its microphone; of
--simulated-day, which is another place, only the events stay. Exit code 65 when a recording could not be used, 69 when
the broker has not acknowledged every event by the deadline.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        "files", nargs="*", type=place, metavar="FILE", help="recordings, in this order; -: standard input"
    )
    parser.add_argument(
        "--simulated-day",
        action="store_true",
        help="two and a half built-in hours at a known place: quiet, tap, leak, mended",
    )
    parser.add_argument("--config", type=place, help="configuration; without it: factory model, no MQTT")
    parser.add_argument("--model", type=place, help="model file instead of the configured one")
    parser.add_argument("--speed", type=_speed, default="max", help="max, or a multiple of real time (default: max)")
    parser.add_argument("--repeat", type=whole(1), default=1, metavar="N", help="play each recording N times")
    parser.add_argument("--minutes", type=number(0, above=True), metavar="M", help="stop after this much sound")
    parser.add_argument(
        "--channel",
        type=choice,
        metavar="N|mix|all",
        help="channel to hear, from 1; mix: the mean; all: one after the other (default: [audio] channel, 1)",
    )
    parser.add_argument(
        "--start",
        type=_utc,
        metavar="UTC",
        help="when the first recording began, e.g. 2026-11-22T02:00:00Z or 2026-11-22 03:00+01:00 (default: what its "
        "broadcast wave header or its name says, such as 20261122T020000Z; else now)",
    )
    parser.add_argument("--deadline", type=number(0), default=30.0, metavar="S", help="s to wait for acknowledgements")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on standard output")


def main(args: argparse.Namespace) -> int:
    """Run the subcommand."""
    if bool(args.files) == args.simulated_day:
        raise UsageError("name recordings or --simulated-day, one of both: leakear-edge replay FILE.wav")
    if args.simulated_day and (args.repeat > 1 or args.channel):
        raise UsageError("--simulated-day is one day of one channel: leave out --repeat and --channel")
    os.umask(0o077)  # as `run`
    settings = Settings.load(args.config)
    shown_once = CHANGE if sys.stdout.isatty() and sys.stderr.isatty() else ""  # the terminal shows it as a result
    log_to_stderr(settings.log.level if args.config else "error", without=shown_once)
    with TemporaryDirectory(prefix="leakear-replay-") as scratch:
        if not args.config:
            settings = replace(settings, node=replace(settings.node, state_dir=scratch))
        if args.model:
            settings = replace(settings, model=replace(settings.model, path=str(args.model)))
        stated = start_of(args.files[0]) if args.start is None and args.files else args.start
        began = stated or (demo_day.last_noon(time.time()) if args.simulated_day else time.time())
        printer, clock = Printer(args.json, args.repeat), FixedClock(stated is not None)
        connect, apart = bool(args.config), args.simulated_day  # what that place taught holds at no other
        with open_node(settings, clock, connect=connect, observers=(printer.show,), apart=apart) as node:
            return _replay(node, args, began, printer, settings.audio.channel)


def _replay(node: Node, args: argparse.Namespace, began: float, printer: Printer, channel: int) -> int:
    chosen: Choice = args.channel or channel
    reel, spec = Reel(node.detector, args.files, args.repeat, chosen, began, printer), node.detector.pipeline.spec
    if args.simulated_day:
        demo_day.know_the_place(node.detector.pipeline.judge, spec)
    source = demo_day.blocks(utc=began, rate=spec.sample_rate) if args.simulated_day else reel.blocks()
    longest_s = demo_day.LENGTH_S if args.simulated_day else math.inf
    if args.minutes is not None:
        source = takewhile(lambda block: block.monotonic < args.minutes * 60, source)
        longest_s = min(longest_s, args.minutes * 60)
    source = shown(source, args.files, chosen, times=args.repeat, at_most_s=longest_s)
    node.run(_paced(source, args.speed, spec.sample_rate))
    printer.summary(node.detector, recordings=len(args.files), refused=reel.refused)
    if node.link and not node.link.drain(args.deadline):
        if not node.outbox.depth:
            raise DeliveryError(f"the broker was not reached within {args.deadline:g} s; no event waits for it")
        raise DeliveryError(
            f"{node.outbox.depth} events were not acknowledged within {args.deadline:g} s; they stay in "
            f"{node.reporter.directory} and go out with the next run"
        )
    return InputDataError.exit_code if reel.refused else 0


def _speed(text: str) -> float | None:
    """Seconds of sound a second; None: as fast as possible."""
    return None if text == "max" else number(0, above=True)(text)


def _utc(text: str) -> float:
    """Read a moment of ISO 8601 with an offset or Z, POSIX seconds."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError(
            f"{text!r}: give a date and time with Z or an offset from UTC, e.g. 2026-11-22T02:00:00Z"
        )
    return moment.timestamp()


def _paced(source: Iterator[Block], pace: float | None, rate: int) -> Iterator[Block]:
    """Delay each block until its sound would have been over at this pace. `rate`: of the samples, Hz."""
    began = time.monotonic()
    first: float | None = None
    for block in source:
        yield block
        if pace is not None:
            first = block.monotonic if first is None else first
            heard = block.monotonic - first + len(block.samples) / rate
            time.sleep(max(0.0, began + heard / pace - time.monotonic()))
