"""What a node says: builds the messages of the MQTT contract out of the node's parts. Pure."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leakear.edge import __version__
from leakear.edge.messages.reports import Event, Identity, ModelRef, Spectrum, State, utc_text, uuid7
from leakear.edge.model.bundle import BundleInfo
from leakear.edge.pipeline import Result
from leakear.edge.spec import Decibels, SpectrogramSpec

BANDS = 64
"""bands of a `spectrum` message"""
_LEVELS = (-400.0, 20.0)
"""dBFS that a message may carry"""


@dataclass(frozen=True)
class Speaker:
    """Who speaks, and with which model."""

    identity: Identity
    model: ModelRef
    window_s: float
    step_s: float

    @classmethod
    def of(cls, identity: Identity, info: BundleInfo, step_s: float) -> "Speaker":
        """Name the node and its model as every message does."""
        return cls(
            identity, ModelRef(id=info.model_id, sha256=info.flatbuffer_sha256), info.spec.window_seconds, step_s
        )

    def event(
        self,
        kind: str,
        change: tuple[str, str],
        reason: str,
        result: Result,
        *,
        synced: bool,
        on_fraction: float,
        faults: Sequence[str],
    ) -> Event:
        """Say what happened; the outbox adds `seq`."""
        return Event(
            id=uuid7(result.end_utc),
            seq=0,
            site=self.identity.site,
            node=self.identity.node,
            kind=kind,
            from_state=change[0],
            to_state=change[1],
            reason=reason[:500],
            window_start=utc_text(result.start_utc),
            window_end=utc_text(result.end_utc),
            clock_synced=synced,
            score=result.score,
            on_fraction=on_fraction,
            level_dbfs=level_of(result),
            faults=tuple(faults),
            model=self.model,
        )

    def state(
        self,
        name: str,
        since_utc: float,
        result: Result | None,
        *,
        threshold: float,
        faults: Sequence[str],
        muted_until: float | None,
        synced: bool,
        seq: int,
        queue_depth: int,
    ) -> State:
        """Say what holds now."""
        return State(
            site=self.identity.site,
            node=self.identity.node,
            state=name,
            since=utc_text(since_utc),
            score=result.score if result else None,
            level_dbfs=level_of(result),
            noise_floor_dbfs=floor_of(result),
            faults=tuple(faults),
            threshold=threshold,
            muted_until=None if muted_until is None else utc_text(muted_until),
            model=self.model,
            firmware=__version__,
            window_end=utc_text(result.end_utc) if result else None,
            window_s=self.window_s,
            step_s=self.step_s,
            clock_synced=synced,
            seq=seq,
            queue_depth=queue_depth,
        )


def level_of(result: Result | None) -> float | None:
    """RMS of the window, dBFS, as a message carries it."""
    return None if result is None or result.health is None else _bounded(result.health.level_dbfs)


def floor_of(result: Result | None) -> float | None:
    """Noise floor, dBFS, as a message carries it."""
    return None if result is None or result.health is None else _bounded(result.health.noise_floor_dbfs)


def _bounded(level: float) -> float:
    return round(min(max(level, _LEVELS[0]), _LEVELS[1]), 2)


def spectrum(spectrogram: Decibels, spec: SpectrogramSpec, end_utc: float) -> Spectrum:
    """Reduce a spectrogram, shape (rows, frames), dB, to 64 bands averaged over time."""
    mean = spectrogram.mean(axis=1, dtype=np.float64)
    edges = np.linspace(0, len(mean), BANDS + 1).astype(int)
    bands = [float(mean[low : max(high, low + 1)].mean()) for low, high in itertools.pairwise(edges)]
    frequencies = spec.frequencies
    return Spectrum(
        time=utc_text(end_utc),
        low_hz=float(frequencies[0]),
        high_hz=float(frequencies[-1]),
        db=tuple(round(value, 1) for value in bands),
    )
