"""How well the time is known, as messages carry it."""

from leakear.edge.audio.sample_clock import Timing
from leakear.edge.messages.timing import ClockBound, SampleClock
from leakear.edge.recording.clock_bound import Bound


def clock_message(bound: Bound) -> ClockBound:
    """Return how well the clock is known, as messages carry it."""
    return ClockBound(source=bound.source, bound_s=None if bound.bound_s is None else round(bound.bound_s, 7))


def sample_clock_message(timing: Timing | None) -> SampleClock | None:
    """Return how well the time of a sample is known, as messages carry it."""
    if timing is None:
        return None
    return SampleClock(
        drift_ppm=round(timing.drift_ppm, 3),
        drift_uncertainty_ppm=round(timing.drift_uncertainty_ppm, 3),
        uncertainty_s=round(timing.uncertainty_s, 6),
    )
