"""Budgets of computation: ours against librosa and the reference network, one thread each, in one run."""

from collections.abc import Iterator
from itertools import count as count_from

import librosa
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from bench.reference_model import reference_file
from bench.rounds import compare
from leakear.edge.background.background import Background
from leakear.edge.background.entries import ENTRIES
from leakear.edge.background.packed import packed
from leakear.edge.background.third_octaves import Bands, quiet_levels
from leakear.edge.decision.state_machine import DecisionRule
from leakear.edge.health.measures import measure
from leakear.edge.health.monitor import HealthMonitor, HealthOptions
from leakear.edge.model.macs import macs
from leakear.edge.model.tflite import FACTORY, Model
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.spectrogram import IncrementalSpectrogram, spectrogram
from leakear.edge.spectrogram.short_spectra import Powers, short_powers
from leakear.edge.windows import step_samples

REFERENCE = SpectrogramSpec()
Row = tuple[str, str, str, bool]
"""what, budget, measured, met"""


def theirs(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the spectrogram as the reference notebook does."""
    magnitude = np.abs(librosa.stft(samples, n_fft=REFERENCE.n_fft, hop_length=REFERENCE.hop_length))
    decibels: NDArray[np.float32] = librosa.amplitude_to_db(magnitude, ref=np.max)
    return decibels


class ReferenceNetwork:
    """The notebook's network in int8 on the same runtime."""

    def __init__(self) -> None:
        self.interpreter = Interpreter(model_path=str(reference_file()), num_threads=1)
        self.interpreter.allocate_tensors()
        self._input = self.interpreter.get_input_details()[0]
        self._output = self.interpreter.get_output_details()[0]["index"]

    def score(self, decibels: NDArray[np.float32]) -> float:
        """Give its output."""
        unit = ((decibels + 80) / 80)[None, ..., None]
        if self._input["dtype"] == np.int8:
            unit = (np.rint(unit * 255) - 128).astype(np.int8)
        self.interpreter.set_tensor(self._input["index"], unit)
        self.interpreter.invoke()
        return float(self.interpreter.get_tensor(self._output).item())


def rows(rounds: int) -> Iterator[Row]:
    """Measure every line."""
    rng = np.random.default_rng(0)
    samples = (rng.standard_normal(REFERENCE.window_samples) * 0.05).astype(np.float32)
    worst = float(np.abs(spectrogram(samples, REFERENCE) - theirs(samples)).max())
    full = compare(lambda: spectrogram(samples, REFERENCE), lambda: theirs(samples), rounds)
    budget = "≥ 2.5 × librosa, within 0.01 dB"
    yield "full spectrogram", budget, f"{full}; worst difference {worst:.4f} dB", full.ratio >= 2.5 and worst <= 0.01
    incremental, second = IncrementalSpectrogram(REFERENCE), step_samples(REFERENCE, 1.0)
    incremental.update(samples, None)
    step = compare(lambda: incremental.update(samples, second), lambda: theirs(samples), rounds)
    yield "incremental spectrogram, 1-second hop", "≥ 10 × librosa", str(step), step.ratio >= 10
    yield from network_rows(samples, rounds)


def network_rows(samples: NDArray[np.float32], rounds: int) -> Iterator[Row]:
    """Measure whole windows and scores, and compare the networks."""
    model, reference = Model.load(FACTORY), ReferenceNetwork()
    spec = model.info.spec
    monitor = HealthMonitor(HealthOptions(), spec)
    incremental, second = IncrementalSpectrogram(spec), step_samples(spec, 1.0)
    incremental.update(samples, None)
    background, times = a_week_of(quiet_levels(short_powers(samples, spec), spec)), count_from(10.0, 10.0)

    def their_window() -> float:
        return reference.score(theirs(samples))

    def check() -> Powers:
        powers = short_powers(samples, spec)
        monitor.check(measure(samples, powers, spec), 0.0)
        return powers

    def our_window() -> float:
        check()
        return model.score(spectrogram(samples, spec))

    def our_whole() -> float:
        background.update(next(times), 10.0, quiet_levels(check(), spec))
        return model.score(spectrogram(samples, spec))

    def our_step() -> float:
        check()
        return model.score(incremental.update(samples, second))

    budget = "≥ 15 × librosa + reference int8"
    bare = compare(lambda: model.score(spectrogram(samples, spec)), their_window, rounds)
    yield "a window, sample to score", budget, str(bare), bare.ratio >= 15
    whole = compare(our_window, their_window, rounds)
    yield "the same with the health check that theirs lacks", "(none)", str(whole), True
    judged = compare(our_whole, their_window, rounds)
    budget = "≥ 12 × librosa + reference int8"
    yield "and compared with a week of background that does not match", budget, str(judged), judged.ratio >= 12
    hop = compare(our_step, their_window, rounds)
    yield "the same, health included, overlapping windows 1 s apart", "(none)", str(hop), True
    decibels, their_decibels = spectrogram(samples, spec), theirs(samples)
    score = compare(lambda: model.score(decibels), lambda: reference.score(their_decibels), rounds)
    yield "score alone", "(none)", str(score), True
    yield from size_rows(model, reference)


def size_rows(model: Model, reference: ReferenceNetwork) -> Iterator[Row]:
    """Compare multiplications and file sizes."""
    ours, others = macs(model) or 0, count(reference)
    text = f"1/{others / ours:.0f}: {ours / 1e6:.1f} M against {others / 1e6:.0f} M"
    yield "MACs of the default model", "≤ 1/500 of the reference", text, others / ours >= 500
    size = FACTORY.stat().st_size / 1024
    yield (
        "model file",
        "≤ 150 KiB",
        f"{size:.0f} KiB against {reference_file().stat().st_size / 1e6:.1f} MB",
        size <= 150,
    )


def a_week_of(levels: Bands) -> Background:
    """Return the background of a node that now hears 10 dB more than in its first week: every match is tried."""
    rng = np.random.default_rng(1)
    entries = (levels - 10 + rng.normal(0, 2, (ENTRIES, 1)) + rng.normal(0, 1, (ENTRIES, levels.size))).astype(
        np.float32
    )
    background = Background(DecisionRule().span_s)
    background.restore({"moments": packed(entries), "pending": packed([]), "since_s": 0.0})
    for second in range(-round(background.span_s), 1, 10):
        background.update(float(second), 10.0, levels)
    return background


def count(reference: ReferenceNetwork) -> int:
    """MACs of the reference network."""
    return macs(reference) or 0  # type: ignore[arg-type]  (it has an interpreter too)
