"""Microphones whose every sample has a known time: sound is fed to PulseAudio at the pace of a clock of its own.

    python -m tests.support.timed_microphones FIFO WAV PPM

feeds a mono WAV (16 bits) into a pipe: sample n at BEGIN + n / (rate · (1 + PPM / 1e6)) on the monotonic clock, s.
BEGIN stands in FIFO.begin. How late it was, which a busy machine decides, stands in FIFO.late: a line for each second,
the median in s.
"""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from tests.support.sound_servers import Pulse, until

CHUNK_S = 0.002
RATE = 48000


def noise(seconds: float, seed: int = 7) -> NDArray[np.float32]:
    """White noise by which any moment of it can be recognised, shape (n,), at RATE."""
    return (0.05 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


class TimedPulse(Pulse):
    """PulseAudio whose microphone plays a WAV, each sample at its time."""

    begin = 0.0
    """monotonic s of the first sample"""
    ppm = 0.0

    @property
    def fifo(self) -> Path:
        """What is fed."""
        return self.folder / "fifo"

    def plug(self) -> None:
        """Load the microphone."""
        options = (f"file={self.fifo}", f"rate={RATE}", "channels=1", "format=s16le")
        assert self.ask("pactl", "load-module", "module-pipe-source", "source_name=pipe", *options)
        self.ask("pactl", "set-default-source", "pipe")
        self.spawn("parec", "--device=pipe", "--raw", "/dev/null")  # unheard, the pipe is not read and fills up

    def feed(self, wav: Path, ppm: float) -> None:
        """Play, from a second after the feeder is ready."""
        self.spawn(sys.executable, "-m", "tests.support.timed_microphones", str(self.fifo), str(wav), str(ppm))
        told = Path(f"{self.fifo}.begin")
        until(lambda: told.exists() and told.read_text().endswith("\n"), "start of the microphone", 60)
        self.begin, self.ppm = float(told.read_text()), ppm

    def late_s(self) -> float:
        """Median of how late the feeder was, s."""
        return float(np.median(np.loadtxt(f"{self.fifo}.late", ndmin=1)))

    def heard_at(self, sample: float) -> float:
        """Monotonic s at which a sample of the WAV (a fraction too) was heard."""
        return self.begin + sample / (RATE * (1 + self.ppm * 1e-6))


def found(part: NDArray[np.floating], whole: NDArray[np.floating], near: float) -> float:
    """Return where a part, shape (n,), stands within the whole, in samples and their fractions; `near`: about there."""
    low = max(0, round(near) - 2 * len(part))
    stretch = whole[low : low + 5 * len(part)]
    size = 1 << (len(stretch) + len(part)).bit_length()
    product = np.fft.rfft(stretch, size) * np.conj(np.fft.rfft(part, size))
    curve = np.fft.irfft(product, size)[: len(stretch)]
    peak = int(np.argmax(curve))
    left, top, right = curve[peak - 1 : peak + 2] if 0 < peak < len(curve) - 1 else (0.0, 1.0, 0.0)
    return float(low + peak + (left - right) / (2 * (left - 2 * top + right)))


def main() -> None:
    """Feed."""
    fifo, wav, ppm = sys.argv[1], sys.argv[2], float(sys.argv[3])
    samples, rate = soundfile.read(wav, dtype="int16")
    data, true, step = samples.tobytes(), rate * (1 + ppm * 1e-6), round(rate * CHUNK_S)
    pipe = os.open(fifo, os.O_WRONLY)
    begin = time.monotonic() + 1
    Path(f"{fifo}.begin").write_text(f"{begin!r}\n")
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)  # a quartz waits for nobody
    late: list[float] = []
    with Path(f"{fifo}.late").open("w") as log:
        for start in range(0, len(samples), step):
            due = begin + (start + step) / true
            time.sleep(max(0.0, due - time.monotonic()))
            os.write(pipe, data[2 * start : 2 * (start + step)])
            late.append(time.monotonic() - due)
            if len(late) * CHUNK_S >= 1:
                print(float(np.median(late)), file=log, flush=True)
                late.clear()


if __name__ == "__main__":
    main()
