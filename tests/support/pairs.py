"""Simulated pairs for tests of the correlator."""

from dataclasses import replace

from leakear.dashboard.locate import Clock, Pipe, Recording, pipe
from leakear.train.simulator.pairs import Case, render

SECONDS = 8.0


def case(seed: int = 1, material: str = "steel", **changes: object) -> Case:
    """Draw a pair on a pipe of 100 m (40 m of plastic) at 6 dB, with exact clocks; `changes`: fields of Case."""
    length = 40.0 if material in ("pvc", "pe") else 100.0
    made = Case.draw(
        seed,
        material,
        length=length,
        snr_db=6.0,
        bound_s=0.0,
        drift_bound_ppm=0.0,
        speed_tolerance=0.015,
        seconds=SECONDS,
    )
    made = replace(made, reflection=0.0, stated_length=length)
    return replace(made, **changes)  # type: ignore[arg-type]


def recorded(made: Case) -> Recording:
    """Render it."""
    a, b = render(made)
    return Recording(a, b, made.rate, Clock(made.clock.bound_s, made.clock.drift_bound_ppm))


def described(made: Case, pumps: tuple[float, ...] = ()) -> Pipe:
    """Describe its pipe as its operator knows it."""
    return pipe(made.stated_length, made.wall.material, speed=made.speed_range, pumps=pumps)
