"""Real recordings: what has nothing in common, what one microphone recorded, and a real leak with a known delay."""

import itertools
from pathlib import Path

import numpy as np
import soundfile

from leakear.dashboard.locate import Clock, Recording, locate, pipe

RATE = 4096


def loggers(hk: Path, label: str) -> list[np.ndarray]:
    sounds = [soundfile.read(path) for path in sorted(hk.glob(f"{label}-*/*.wav"))]
    return [samples[: 10 * RATE] for samples, rate in sounds if rate == RATE and len(samples) >= 9.9 * RATE]


def test_unrelated_loggers_have_nothing_in_common(hk: Path) -> None:
    steel = pipe(100, "steel", speed=(1200, 1300))
    for a, b in itertools.pairwise([*loggers(hk, "Leak")[:6], *loggers(hk, "NoLeak")[:6]]):
        count = min(len(a), len(b))
        found = locate([Recording(a[:count], b[:count], RATE, Clock(0.001, 50))], steel)
        assert found.refusal is not None
        assert found.refusal.reason == "coherence"


def test_a_real_leak_in_real_backgrounds_is_inside_its_interval(hk: Path) -> None:
    steel, position, speed = pipe(100, "steel", speed=(1200, 1300)), 30.0, 1260.0
    delay = steel.delay(position, speed)
    quiet = loggers(hk, "NoLeak")
    for number, leak in enumerate(loggers(hk, "Leak")[:6]):
        turn = np.exp(-2j * np.pi * np.fft.rfftfreq(len(leak), 1 / RATE) * delay)
        late = np.fft.irfft(np.fft.rfft(leak) * turn, len(leak))
        around = [np.resize(quiet[2 * number + end], len(leak)) for end in (0, 1)]
        a, b = (s + n * np.std(leak) / np.std(n) for s, n in zip((leak, late), around, strict=True))
        found = locate([Recording(a, b, RATE)], steel)
        assert found.position is not None
        assert found.position.most[0] <= position <= found.position.most[1]


def test_two_channels_of_one_microphone_are_no_two_places_on_a_pipe(shared_data: Path) -> None:
    samples, rate = soundfile.read(shared_data / "background" / "long" / "city.ogg", always_2d=True)
    a, b = (np.ascontiguousarray(samples[: 15 * rate, channel]) for channel in (0, 1))
    found = locate([Recording(a, b, rate)], pipe(100, "steel", speed=(1200, 1300)))
    assert found.refusal is not None
    assert found.refusal.reason == "middle"
