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
from leakear.edge.command_line import number, place
from leakear.edge.decision.calibration import Baseline, Proposal, propose
from leakear.edge.decision.rule import NO_GATE_DBFS, rule_from
from leakear.edge.errors import AudioError, ConfigError
from leakear.edge.messages.reports import utc_text
from leakear.edge.model.tflite import Model
from leakear.edge.pipeline import Pipeline
from leakear.edge.settings import Settings, file_in_use
from leakear.edge.texts import printable

HELP = """\
Learn scores and levels of quiet hours and propose a threshold for a false-alarm budget. Nothing changes until
--apply: the proposal is shown, and written beside the configuration.

  leakear-edge calibrate --config my.toml --hours 8               listen for a night
  leakear-edge calibrate --config my.toml --from quiet-*.wav      from recordings of this sensor
  leakear-edge calibrate --config my.toml --apply                 use the proposal made before
  leakear-edge calibrate --config my.toml --not-a-leak            what is suspected is no leak: learn it
  leakear-edge calibrate --config my.toml --accept-floor          the sensor is in order: end `floor_drift`

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
    parser.add_argument("--config", type=Path, help="configuration file (TOML)")
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
    parser.add_argument("--accept-floor", action="store_true", help="end `floor_drift`: you have looked at the sensor")
    parser.add_argument(
        "--not-a-leak", action="store_true", help="you have made sure that what is suspected is no leak"
    )


def main(args: argparse.Namespace) -> int:
    """Learn, propose, and apply when asked to."""
    path = file_in_use(args.config)
    if path is None:
        raise ConfigError("calibrate writes beside a configuration: name it with --config")
    if args.accept_floor:
        accept_floor(path, utc_text(time.time()))
        print(f"{path} is changed; restart the daemon (systemctl restart leakear): it then learns its background again")
        return 0
    if args.not_a_leak:
        not_a_leak(path, utc_text(time.time()))
        print(f"{path} is changed; reload the daemon (systemctl reload leakear): it then learns what it suspects")
        return 0
    proposal_file = path.with_name(f"{path.stem}.calibration.toml")
    if not (args.apply and args.hours is None and args.files is None):
        files.file(proposal_file, "the proposal")
        proposal = _learn(args, Settings.load(path))
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
        learn(pipeline, baseline, _recorded(args.files, args.channel or settings.audio.channel, pipeline))
    else:
        hours = 8.0 if args.hours is None else args.hours
        with Capture(settings.audio, pipeline.spec) as capture:
            learn(pipeline, baseline, _until(capture, time.monotonic() + hours * 3600), time.monotonic)
    return propose(
        baseline,
        on_fraction=rule.on_fraction,
        span_s=rule.span_s,
        gated=gated,
        model_threshold=model.info.threshold,
        false_alarms_per_week=args.false_alarms_per_week,
        accept_leak_like=args.accept_leak_like,
    )


def _recorded(paths: Iterable[Path], chosen: Choice, pipeline: Pipeline) -> Iterator[Block]:
    """Yield the blocks of recordings. Raises InputDataError."""
    joined = JoinedRecordings(pipeline.spec, pipeline.new_recording)
    for path in paths:
        count = channels(path) if path.is_file() else 1
        if count > 1:
            print(f"{printable(path)}: has {count} channels; heard: {described(chosen)}", file=sys.stderr)
        for channel in each(chosen, count):
            yield from shown(path, joined.read(path, channel))


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


def _until(source: Iterable[Block | SensorFault], deadline: float) -> Iterable[Block | SensorFault]:
    """Yield from a microphone until the deadline; print each new fault. Raises AudioError when no sound came at all."""
    began, heard, printed = time.monotonic(), False, ""
    for item in source:
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
