"""`leakear-edge calibrate`: learn the sound of this site without a leak, and propose a threshold."""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from leakear.edge import files, settings_file
from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.audio.capture import Capture
from leakear.edge.audio.channels import Choice, choice, described, each
from leakear.edge.audio.reading_progress import shown
from leakear.edge.audio.recordings import JoinedRecordings, channels
from leakear.edge.cli.findings import heard_by_daemon
from leakear.edge.cli.onsite import calibration
from leakear.edge.cli.onsite.unit import seen_by_unit
from leakear.edge.cli.probe import daemon_runs
from leakear.edge.command_line import number, place
from leakear.edge.decision.calibration import Baseline, Proposal, propose
from leakear.edge.decision.rule import NO_GATE_DBFS, rule_from
from leakear.edge.errors import AudioError, ConfigError, UsageError
from leakear.edge.messages.reports import utc_text
from leakear.edge.model.tflite import Model
from leakear.edge.node.checks import OK
from leakear.edge.pipeline import Pipeline
from leakear.edge.settings import SYSTEM_FILE, Settings, file_in_use
from leakear.edge.texts import printable

HELP = """\
Learn scores and levels of quiet hours and propose a threshold for a false-alarm budget. Nothing changes until
--apply: the proposal is shown, and written beside the configuration.

  leakear-edge calibrate --config my.toml --hours 8               listen for a night
  leakear-edge calibrate --config my.toml --from quiet-*.wav      from recordings of this sensor
  leakear-edge calibrate --config my.toml --status                how far a daemon is that learns
  leakear-edge calibrate --config my.toml --apply                 use the proposal made before
  leakear-edge calibrate --config my.toml --not-a-leak            what is suspected is no leak: learn it
  leakear-edge calibrate --config my.toml --accept-floor          the sensor is in order: end `floor_drift`

While the daemon runs it is the one that learns, and this terminal may be closed. Otherwise this command listens itself;
Ctrl-C then ends the time early, and what was heard until then is used when it is enough.

Be sure that there is no leak in those hours: what is learnt as quiet is not reported later. Too few hours (under 4), or
hours that already sound like a leak, are refused with exit code 65. The threshold may become lower or higher than the
model's own.
"""
PATIENCE_S = 30.0
"""s to wait for the first sound of a microphone."""
PROPOSED = ("threshold", "level_gate_dbfs")
"""Keys of [decision] that a proposal sets."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", type=Path, help=f"configuration file (TOML); default {SYSTEM_FILE} when it exists")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--hours", type=number(0, above=True), help="listen to the microphone for this long (8)")
    source.add_argument("--from", dest="files", nargs="+", type=place, metavar="FILE", help="recordings without a leak")
    parser.add_argument(
        "--channel", type=choice, metavar="N|mix|all", help="of recordings: channel, mean, or each ([audio] channel)"
    )
    parser.add_argument("--false-alarms-per-week", type=number(0, above=True), default=1.0, help="budget (1)")
    parser.add_argument(
        "--accept-leak-like", action="store_true", help="the steady sound here is known not to be a leak"
    )
    parser.add_argument("--apply", action="store_true", help="put the proposal into the configuration")
    parser.add_argument("--status", action="store_true", help="how far the daemon is that learns")
    parser.add_argument("--cancel", action="store_true", help="the daemon stops learning and changes nothing")
    parser.add_argument("--accept-floor", action="store_true", help="end `floor_drift`: you have looked at the sensor")
    parser.add_argument(
        "--not-a-leak", action="store_true", help="you have made sure that what is suspected is no leak"
    )


def main(args: argparse.Namespace) -> int:
    """Learn, propose, and apply when asked to."""
    path = file_in_use(args.config)
    if path is None:
        raise ConfigError("calibrate writes beside a configuration: name it with --config")
    with seen_by_unit(path):
        settings = Settings.load(path)
        if args.accept_floor or args.not_a_leak:
            return _state("accept_floor" if args.accept_floor else "not_a_leak", settings, path)
        if args.files is None and daemon_runs(settings):
            done = _in_daemon(args, settings.node.directory, path)
            if done is not None:
                return done
        elif args.status or args.cancel:
            raise UsageError("no daemon of this configuration runs: there is nothing that learns")
        return _here(args, settings, path)


def _state(what: str, settings: Settings, path: Path) -> int:
    """Tell the daemon what a person states; while none runs, note it in the configuration."""
    if daemon_runs(settings):
        calibration.ask(settings.node.directory, what)
        print(
            "The daemon learns its background again."
            if what == "accept_floor"
            else "The daemon learns what it suspects; a WARNING or LEAK ends with the next window."
        )
        return 0
    note = accept_floor if what == "accept_floor" else not_a_leak
    note(path, utc_text(time.time()))
    print(f"{path} is changed; the daemon reads it when it starts")
    return 0


def _in_daemon(args: argparse.Namespace, folder: Path, path: Path) -> int | None:
    """Let the daemon do it; None: it has no proposal to apply."""
    if args.accept_leak_like:
        raise UsageError("--accept-leak-like: stop the daemon first (systemctl stop leakear), then calibrate")
    again = f"leakear-edge calibrate --config {path}"
    if args.status or args.cancel:
        print(calibration.describe(calibration.ask(folder, "cancel" if args.cancel else "status")))
        return 0
    if not (args.apply and args.hours is None):
        if (sound := heard_by_daemon(folder)).status != OK:
            print(f"Time in which nothing is heard does not count. Now: {sound.detail} → {sound.remedy}", flush=True)
        return calibration.follow(folder, 8.0 if args.hours is None else args.hours, args.false_alarms_per_week, again)
    if calibration.ask(folder, "status").phase != "ready":
        return None
    print(calibration.describe(calibration.ask(folder, "apply")))
    return 0


def _here(args: argparse.Namespace, settings: Settings, path: Path) -> int:
    """Learn in this process, or apply a proposal that such a one has written."""
    proposal_file = path.with_name(f"{path.stem}.calibration.toml")
    if not (args.apply and args.hours is None and args.files is None):
        files.file(proposal_file, "the proposal")
        proposal = _learn(args, settings)
        print(as_toml(proposal))
        files.write(proposal_file, as_toml(proposal).encode())
        print(f"written to {proposal_file}")
    if not args.apply:
        print(f"To use it: leakear-edge calibrate --config {path} --apply")
        return 0
    apply(path, proposal_file)
    print(f"{path} is changed (the old file is kept as {path.name}.bak); reload the daemon with SIGHUP")
    return 0


def _learn(args: argparse.Namespace, settings: Settings) -> Proposal:
    model = Model.configured(settings.model)
    rule = rule_from(model.info.decision, settings.decision)
    pipeline = Pipeline.of(model, rule, settings.window, settings.health)
    baseline, gated = Baseline(pipeline.step_s), model.info.spec.reference != "own"
    if not gated and rule.level_gate_dbfs > NO_GATE_DBFS:
        print("[decision] level_gate_dbfs: this model hears no level; remove the key", file=sys.stderr)
    if args.files:
        chosen = args.channel or settings.audio.channel
        learn(pipeline, baseline, shown(_recorded(args.files, chosen, pipeline), args.files, chosen))
    else:
        hours = 8.0 if args.hours is None else args.hours
        with Capture(settings.audio, pipeline.spec) as capture:
            _listen(pipeline, baseline, _until(capture, time.monotonic() + hours * 3600, baseline))
    return propose(
        baseline,
        on_fraction=rule.on_fraction,
        span_s=rule.span_s,
        gated=gated,
        model_threshold=model.info.threshold,
        false_alarms_per_week=args.false_alarms_per_week,
        accept_leak_like=args.accept_leak_like,
    )


def _listen(pipeline: Pipeline, baseline: Baseline, source: Iterable[Block | SensorFault]) -> None:
    """Learn from a microphone until the end of the source, or Ctrl-C."""
    try:
        learn(pipeline, baseline, source, time.monotonic)
    except KeyboardInterrupt:
        print(
            f"\ninterrupted: {baseline.heard_s / 3600:.2f} h of quiet were heard. They are used if they are enough; "
            "otherwise nothing is kept.",
            file=sys.stderr,
        )


def _recorded(paths: Iterable[Path], chosen: Choice, pipeline: Pipeline) -> Iterator[Block]:
    """Yield the blocks of recordings. Raises InputDataError."""
    joined = JoinedRecordings(pipeline.spec, pipeline.new_recording)
    for path in paths:
        count = channels(path) if path.is_file() else 1
        if count > 1:
            print(f"{printable(path)}: has {count} channels; heard: {described(chosen)}", file=sys.stderr)
        for channel in each(chosen, count):
            yield from joined.read(path, channel)


def learn(
    pipeline: Pipeline,
    baseline: Baseline,
    source: Iterable[Block | SensorFault],
    live: Callable[[], float] | None = None,
) -> None:
    """Run a source through the node's pipeline and add every score to the baseline. `live`: clock of a microphone."""
    for item in source:
        for result in pipeline.push(item, live() if live else None):
            baseline.add(*result.trusted)


def _until(source: Iterable[Block | SensorFault], deadline: float, baseline: Baseline) -> Iterable[Block | SensorFault]:
    """Yield from a microphone until the deadline; print each new fault, and how far the baseline is.

    Raises AudioError when no sound came at all.
    """
    began, heard, printed = time.monotonic(), False, ""
    every_s = 5.0 if sys.stderr.isatty() else 600.0
    told = began - every_s
    for item in source:
        if time.monotonic() - told >= every_s:
            told = time.monotonic()
            text = f"{baseline.heard_s / 3600:.2f} h of quiet heard, {(deadline - told) / 3600:.2f} h to go"
            print(
                f"\r\x1b[2K{text}" if sys.stderr.isatty() else text,
                file=sys.stderr,
                end="" if sys.stderr.isatty() else "\n",
            )
        fault = item.message if isinstance(item, SensorFault) else ""
        if fault and fault != printed:
            print(f"no sound: {fault}", file=sys.stderr)
        printed, heard = fault, heard or not fault
        if not heard and time.monotonic() - began > PATIENCE_S:
            raise AudioError(f"no sound for {PATIENCE_S:g} s: {fault}; does the daemon use the microphone?")
        yield item
        if time.monotonic() >= deadline:
            return


def as_toml(proposal: Proposal) -> str:
    """Write a proposal as the lines that go into the configuration."""
    gate = "" if proposal.level_gate_dbfs is None else f"level_gate_dbfs = {proposal.level_gate_dbfs!r}\n"
    return (
        f"# learnt from {proposal.hours:g} quiet hours: median P(leak) {proposal.quiet_score:g}, "
        f"median level {proposal.quiet_level_dbfs:g} dBFS\n# {proposal.reason}\n[decision]\n"
        f"threshold = {proposal.threshold!r}\n{gate}"
    )


def apply(config: Path, proposal_file: Path) -> None:
    """Put a proposal's keys into [decision] of a configuration. Raises ConfigError when either is unusable."""
    if not proposal_file.exists():
        raise ConfigError(f"{proposal_file}: no proposal here; make one with --hours or --from")
    decision = settings_file.read(proposal_file).get("decision", {})
    _set_keys(config, "decision", {key: decision[key] for key in PROPOSED if key in decision})


def accept_floor(config: Path, when: str) -> None:
    """Note in a configuration that a person has looked at the sensor. Raises ConfigError when it is unusable."""
    _set_keys(config, "health", {"accepted": when})


def not_a_leak(config: Path, when: str) -> None:
    """Note in a configuration that a person states that there is no leak. Raises ConfigError when it is unusable."""
    _set_keys(config, "decision", {"not_a_leak": when})


def _set_keys(config: Path, section: str, values: Mapping[str, Any]) -> None:
    settings_file.set_keys(config, section, values, lambda given: Settings.from_mapping(given, str(config)))
