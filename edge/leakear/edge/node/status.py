"""A frozen picture of the node at one moment. Every message is a pure function of it; the reporter builds it."""

import resource
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from leakear.edge.audio.sample_clock import Timing
from leakear.edge.decision.learning import Learning
from leakear.edge.messages.reports import Identity, ModelRef
from leakear.edge.node.trial.beside import TrialStatus
from leakear.edge.pipeline import Result
from leakear.edge.recording.clock_bound import Bound


@dataclass(frozen=True)
class Counters:
    """Counts since the daemon started."""

    produced: int
    """windows cut from the stream"""
    scored: int
    """windows that got a score"""
    discarded: int
    """windows spoiled by a gap or a fault"""
    dropped: int
    """windows skipped because the node was late"""
    overruns: int
    """times the sound device lost samples, and blocks lost on the way to the main thread"""
    reconnects: int
    """times the broker was reached again"""


@dataclass(frozen=True)
class NodeStatus:
    """Everything that messages say about the node, at one moment."""

    identity: Identity
    model: ModelRef
    """the model in use"""
    staged_model: ModelRef | None
    """a verified model that waits to be installed"""
    trial: TrialStatus | None
    """a new model on trial, or still watched"""
    sample_rate: int
    """Hz, of the model"""
    window_s: float
    """length of a window"""
    step_s: float
    """from window to window"""
    monotonic: float
    """s, of the newest item"""
    utc: float
    """s since 1970, of the newest item"""
    uptime_s: float
    clock_synced: bool
    clock: Bound
    """how well the clock is known"""
    timing: Timing | None
    """how well the time of a sample is known; None: not yet, or no sound"""
    state: str
    """published state: OK, WARNING, LEAK, NOISY or SENSOR_FAULT"""
    since_utc: float
    """s since 1970; the state holds since then"""
    on_fraction: float
    """share of on windows in the last `span_s` seconds, 0 to 1"""
    last: Result | None
    """the newest result"""
    faults: Mapping[str, str]
    """name → sentence, of every fault of any part"""
    threshold: float
    """P(leak)"""
    level_gate_dbfs: float | None
    """None: no gate"""
    threshold_from: str
    """remote, site or model"""
    learning: Learning
    """what has been learnt of this place"""
    muted_until: float | None
    """s since 1970; None: not muted"""
    asleep_until: float | None
    """s since 1970; None: it listens"""
    seq: int
    """of the newest event"""
    queue_depth: int
    """events that no broker has acknowledged"""
    queue_bytes: int
    connected: bool
    """whether a broker is connected"""
    certificate_expires: str | None
    """UTC, of the first TLS certificate in use to expire"""
    real_time_factor: float | None
    """seconds of work per second of sound"""
    mono_microphone: bool
    """whether all channels of the microphone carry the same sound"""
    counters: Counters


@dataclass(frozen=True)
class Machine:
    """Measurements of the machine; None: not known here."""

    temperature_c: float | None
    """of the processor, °C"""
    disk_free_bytes: int | None
    rss_bytes: int | None
    """resident memory of this process"""

    @classmethod
    def measure(cls, directory: Path) -> Self:
        """Measure now; `directory`: where the node writes."""
        return cls(_temperature_c(), _disk_free_bytes(directory), rss_bytes())


def _temperature_c() -> float | None:
    try:
        return int(Path("/sys/class/thermal/thermal_zone0/temp").read_text()) / 1000
    except (OSError, ValueError):
        return None


def rss_bytes() -> int | None:
    """Resident memory of this process, bytes; None where the kernel does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return None


def _disk_free_bytes(directory: Path) -> int | None:
    try:
        return shutil.disk_usage(directory).free
    except OSError:
        return None
