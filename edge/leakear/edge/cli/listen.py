"""`leakear-edge listen`: level, spectrum and score of the sensor live in the terminal, while a person mounts it."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.audio.capture import Capture
from leakear.edge.command_line import number
from leakear.edge.decision.rule import DecisionRule, rule_from
from leakear.edge.errors import AudioError
from leakear.edge.health.monitor import HealthOptions
from leakear.edge.model.tflite import Model
from leakear.edge.pipeline import NO_SCORE, Pipeline, Result
from leakear.edge.settings import SYSTEM_FILE, Settings, file_in_use
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.spectrogram.fourier import rfft
from leakear.edge.windows import WindowOptions

HELP = """\
Show level, spectrum and P(leak) live, to find the best place for the sensor. Nothing is stored or sent.

  leakear-edge listen                             default microphone, until Ctrl-C
  leakear-edge listen --device USB --seconds 60
  leakear-edge listen --config my.toml

Mount the sensor where the level is highest and no fault is shown. Any gain will do at which a tap next to it does not
clip and quiet is above the sensor's own noise. A window counts as leak-like from the threshold on; the frequency is the
strongest of the last half second. The first P(leak) comes after 10 seconds, then one every 2 seconds. Exit code 1
without any sound.
"""

REMEDY = (
    "(see leakear-edge devices, then [audio] device; a running daemon holds its microphone: systemctl stop leakear)"
)
DEAF = "DEAF: "
"""how the line of a sensor fault begins"""
_STEP_S = 2.0
_BARS = " ▁▂▃▄▅▆▇█"
_BANDS = 32
_LEVEL_DBFS = (-90.0, 0.0)
"""Ends of the level meter."""
_BAND_DBFS = (-110.0, -30.0)
"""Ends of each band's bar."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", type=Path, help=f"configuration file (TOML); default {SYSTEM_FILE} when it exists")
    parser.add_argument("--device", help="microphone, instead of the configured one")
    parser.add_argument("--seconds", type=number(0, above=True), help="stop after this long")


def main(args: argparse.Namespace) -> int:
    """Show lines until interrupted."""
    settings = Settings.load(file_in_use(args.config))
    audio = settings.audio if args.device is None else replace(settings.audio, device=args.device)
    model = Model.configured(settings.model)
    meter = Meter(model, settings.health, rule_from(model.info.decision, settings.decision).threshold)
    try:
        with Capture(audio, model.info.spec) as capture:
            show(meter.lines(capture, args.seconds), terminal=sys.stdout.isatty())
    except KeyboardInterrupt:
        if meter.heard:
            raise
        print()
    if not meter.heard:
        raise AudioError(f"no microphone was heard {REMEDY}")
    return 0


def show(lines: Iterable[str], *, terminal: bool) -> None:
    """Print lines, in a terminal each over the one before; elsewhere a sensor fault once, until it changes."""
    before = ""
    for line in lines:
        if not terminal and line == before and line.startswith(DEAF):
            continue
        before = line
        print(f"\r\x1b[2K{line}" if terminal else line, end="" if terminal else "\n", flush=True)
    if terminal:
        print()


class Meter:
    """Turns what a source gives into lines of text."""

    def __init__(self, model: Model, health: HealthOptions, threshold: float | None = None) -> None:
        self._spec = model.info.spec
        # Only health and score are shown, not the state: any rule will do.
        self._pipeline = Pipeline.of(model, DecisionRule(), WindowOptions(step_s=_STEP_S), health)
        self._threshold = model.info.threshold if threshold is None else threshold
        self._last = f"first P(leak) after 10 s, leak-like from {self._threshold:.2f}"
        self.heard = False
        """whether any sound came"""

    def lines(self, source: Iterable[Block | SensorFault], seconds: float | None = None) -> Iterator[str]:
        """Yield a line for about each half second of sound, and for each second of a sensor fault."""
        heard: NDArray[np.float32] = np.empty(0, np.float32)
        began: float | None = None
        for item in source:
            began = item.monotonic if began is None else began
            for result in self._pipeline.push(item):
                self._last = _text(result, self._threshold) or self._last
            if isinstance(item, SensorFault):
                yield f"{DEAF}{item.message} {REMEDY}"
            else:
                self.heard = True
                heard = np.concatenate([heard, item.samples])
                if len(heard) >= self._spec.sample_rate // 2:
                    yield f"{sound(heard, self._spec)} {self._last}"
                    heard = heard[:0]
            if seconds is not None and item.monotonic - began >= seconds:
                return


def _text(result: Result, threshold: float) -> str | None:
    """Return score, threshold and noise floor, or the faults, of a window; None for a result without a window."""
    health = result.health
    if health is None:
        return None
    if health.faults or result.score is None:
        return f"FAULT: {', '.join(health.faults or (NO_SCORE,))}"
    sign = ">=" if result.score >= threshold else "<"
    return f"P(leak) {result.score:.3f} {sign} {threshold:.2f}  floor {health.l05:.0f} dBFS"


def sound(samples: NDArray[np.float32], spec: SpectrogramSpec) -> str:
    """Draw the level and a spectrum of 32 bands, low to high, of some samples, shape (n,)."""
    centred = samples - samples.mean()
    level = 10 * np.log10(2 * np.mean(np.square(centred, dtype=np.float64)) + 1e-14)
    power = np.abs(rfft(centred * np.hanning(len(centred)).astype(np.float32))) ** 2 / (len(centred) / 4) ** 2
    rows = spec.frequencies
    edges = np.geomspace(max(60.0, rows[0]), rows[-1], _BANDS + 1) * len(centred) / spec.sample_rate
    bands = [power[int(low) : max(int(low) + 1, int(high))].sum() for low, high in pairwise(edges)]
    spectrum = "".join(_bar(10 * np.log10(band + 1e-14), *_BAND_DBFS) for band in bands)
    filled = round(30 * _share(level, *_LEVEL_DBFS))
    strongest = int(np.argmax(bands))
    hz = float(np.sqrt(edges[strongest] * edges[strongest + 1])) * spec.sample_rate / len(centred)
    return f"{level:6.1f} dBFS [{'#' * filled:30}] {spectrum} {hz:5.0f} Hz"


def _share(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _bar(value: float, low: float, high: float) -> str:
    return _BARS[round((len(_BARS) - 1) * _share(value, low, high))]
