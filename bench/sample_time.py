"""How true the time is that a node states for its samples: sound servers whose every sample has a known time.

    python -m bench.sample_time [--seconds 60]
    python -m bench.sample_time --kernel-card       where snd-aloop is loaded: in the machine of `make bench-vm-clock`

PulseAudio: a microphone fed at the pace of a clock of its own. JACK: a client plays noise, heard through PortAudio's
own JACK interface and through ALSA's plugin; JACK says when each frame was played. snd-aloop: the kernel says how many
frames it has moved; it moves them at its timer's ticks (4 ms at 250 Hz); how well the truth is known stands on stderr.
Each row: error of a sample's time (stated less true) once the node states an uncertainty, that uncertainty, and the
drift. On a busy machine the sources themselves do not keep an even pace, and no line fits; how far they were off
stands on stderr.
"""

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from leakear.edge.audio.blocks import Block
from leakear.edge.audio.capture import Capture, CaptureOptions
from leakear.edge.spectrogram import SpectrogramSpec
from tests.support.sound_servers import Jack
from tests.support.timed_microphones import RATE, TimedPulse, found, noise

SPEC = SpectrogramSpec()
PIECE_S = 0.5
"""s of sound that are looked for in the noise"""
SETTLE_S = 5.0
LOOK_S = 0.002
"""s that a look at the kernel's count may take: in a slower one the count may be of any moment"""
TICK_S = 0.004
"""s between two ticks of Debian's kernel (CONFIG_HZ=250)"""
PERIOD = 1024
"""samples of a period of JACK"""


@dataclass
class Row:
    """One line of the table."""

    name: str
    errors: NDArray[np.float64]
    """s, shape (pieces,)"""
    stated: NDArray[np.float64]
    """95 % bound, s, shape (pieces,)"""
    drift: tuple[float, float, float]
    """true, found, and stated 95 % bound, ppm"""

    def text(self) -> str:
        """For people."""
        if not len(self.errors):
            return f"| {self.name} | 0 | nothing was stated: too short, or the machine is too busy | | | | | | |"
        held = np.mean(np.abs(self.errors) <= self.stated)
        median, worst = np.median(self.errors) * 1e3, np.max(np.abs(self.errors)) * 1e3
        true, drift, bound = self.drift
        return (
            f"| {self.name} | {len(self.errors)} | {median:+.2f} | {worst:.2f} | {self.stated[0] * 1e3:.2f} | "
            f"{self.stated[-1] * 1e3:.2f} | {held:.0%} | {true:+.1f} | {drift:+.1f} ± {bound:.1f} |"
        )


HEAD = (
    "| source | pieces | median error, ms | largest, ms | stated first, ms | stated last, ms | within | drift, ppm "
    "| found, ppm |\n|---|---|---|---|---|---|---|---|---|"
)


def listen(device: str, seconds: float, path: Path) -> None:
    """Listen as the daemon does and write down every piece and what was said of it."""
    began, rows, pieces = time.monotonic(), [], []
    waiting: list[Block] = []
    with Capture(CaptureOptions(device=device), SPEC) as capture:
        for item in capture:
            timing = capture.status.timing
            if time.monotonic() - began > seconds:
                break
            if not isinstance(item, Block):
                print(f"{item.name}: {item.message}", file=sys.stderr)
            if not isinstance(item, Block) or timing is None:
                continue
            waiting.append(item)
            samples = np.concatenate([block.samples for block in waiting])
            if len(samples) >= PIECE_S * SPEC.sample_rate:
                stated = (timing.uncertainty_s, timing.drift_ppm, timing.drift_uncertainty_ppm)
                rows.append((waiting[0].monotonic, *stated))
                pieces.append(samples[: round(PIECE_S * SPEC.sample_rate)])
                waiting = []
        lost = f"{capture.status.overruns} times sound was lost by the driver, {capture.status.lost_blocks} by us"
    print(f"{device} at {capture.status.native_rate} Hz: {lost}", file=sys.stderr)
    np.savez(path, rows=np.array(rows), pieces=np.array(pieces))


def measured(
    name: str,
    environment: Mapping[str, str],
    device: str,
    seconds: float,
    truth: Callable[[], tuple[Callable[[float], float], float]],
) -> Row:
    """Let another process listen; `truth()` gives the monotonic s of a sample of the noise, and the drift in ppm."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "heard.npz"
        command = [sys.executable, "-m", "bench.sample_time", "--listen", device, str(path), "--seconds", str(seconds)]
        subprocess.run(command, env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)}, check=True)
        heard = np.load(path)
        rows, pieces = heard["rows"], heard["pieces"]
    if not len(rows):
        return Row(name, np.zeros(0), np.zeros(0), (0.0, 0.0, 0.0))
    at, ppm = truth()
    origin = at(0)
    whole = soxr.resample(noise(seconds + 30), RATE, SPEC.sample_rate, "HQ")
    errors = []
    for row, piece in zip(rows, pieces, strict=True):
        near = (row[0] - origin) * SPEC.sample_rate
        errors.append(row[0] - at(found(piece, whole, near) * RATE / SPEC.sample_rate))
    return Row(name, np.array(errors), rows[:, 1], (ppm, rows[-1, 2], rows[-1, 3]))


def on_pulse(ppm: float, seconds: float) -> Row:
    """Measure PulseAudio with a microphone that runs `ppm` fast."""
    with TimedPulse() as pulse:
        wav = pulse.folder / "noise.wav"
        soundfile.write(wav, noise(seconds + 30), RATE, "PCM_16")
        pulse.feed(wav, ppm)
        time.sleep(1)
        row = measured("PulseAudio", pulse.env, "pulse", seconds, lambda: (pulse.heard_at, ppm))
        print(f"the microphone itself was {pulse.late_s() * 1e3:.2f} ms late", file=sys.stderr)
        return row


def on_jack(name: str, device: str, seconds: float, earlier_s: float = 0.0) -> Row:
    """Measure JACK; its dummy driver keeps the machine's time. `earlier_s`: by which a capture port would be heard."""
    with Jack() as jack, (jack.folder / "played").open("w+") as played:
        (jack.folder / ".asoundrc").write_text(
            (jack.folder / ".asoundrc").read_text().replace("jack_simple_client:output1", "noise:out")
        )
        command = [sys.executable, "-m", "bench.jack_noise", str(seconds + 30)]
        process = subprocess.Popen(command, env=jack.env, stdout=played)
        time.sleep(SETTLE_S)

        def truth() -> tuple[Callable[[float], float], float]:
            first, *pairs = (jack.folder / "played").read_text().splitlines()
            times, frames = np.array([list(map(float, line.split())) for line in pairs]).T
            samples = frames - int(first)
            slope = (times[-1] - times[0]) / (samples[-1] - samples[0])
            wander = np.abs(times - times[0] - slope * (samples - samples[0])).max()
            print(f"{name}: the server was up to {wander * 1e3:.2f} ms off an even pace", file=sys.stderr)
            return (lambda sample: float(np.interp(sample, samples, times)) - earlier_s), (1 / (slope * RATE) - 1) * 1e6

        try:
            return measured(name, jack.env, device, seconds, truth)
        finally:
            process.terminate()
            process.wait(10)


def on_kernel_card(seconds: float) -> Row:
    """Measure snd-aloop: aplay plays noise into one end, the node listens at the other."""
    with TemporaryDirectory() as folder:
        wav = Path(folder) / "noise.wav"
        soundfile.write(wav, np.repeat(noise(seconds + 30)[:, None], 2, axis=1), RATE, "PCM_16")
        with subprocess.Popen(["aplay", "-q", "--buffer-time=1000000", "-D", "hw:Loopback,0", str(wav)]) as player:
            time.sleep(1)
            moved = MovedFrames()
            moved.start()
            try:
                return measured("snd-aloop", os.environ, "hw:Loopback,1", seconds, moved.truth)
            finally:
                player.terminate()


class MovedFrames(threading.Thread):
    """What the kernel says of the loopback's playing end: frames moved, and when."""

    STATUS = Path("/proc/asound/Loopback/pcm0p/sub0/status")

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[float, float, int]] = []
        """monotonic s before and after a look, frames"""

    def run(self) -> None:
        """Look 50 times a second until the device is closed; the status itself holds no time of the look.

        Before all else on the machine: beside a busy listener hardly a look would be quick enough to count.
        """
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        while True:
            before = time.monotonic()
            text = self.STATUS.read_text(encoding="ascii")
            after = time.monotonic()
            if text.strip() == "closed":
                return
            fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
            by_name = {name.strip(): value.strip() for name, value in fields.items()}
            if after - before <= LOOK_S and by_name["state"] == "RUNNING":
                self.seen.append((before, after, int(by_name["hw_ptr"])))
            time.sleep(0.02)

    def truth(self) -> tuple[Callable[[float], float], float]:
        """Return the monotonic s of a frame, and the drift in ppm.

        A count stands from its tick to the next one: its frames were moved before the end of each look that saw them,
        and not a tick or more before its beginning. Half-way between both bounds (but for 1 % of the looks) is taken.
        """
        before, after, frames = np.array(self.seen).T
        slope, start = np.polyfit(frames, before, 1)
        latest = float(np.percentile(after - start - slope * frames, 1))
        earliest = float(np.percentile(before - start - slope * frames, 99)) - TICK_S
        print(
            f"snd-aloop, {len(frames)} looks over {np.ptp(before):.0f} s: the truth is known to "
            f"{abs(latest - earliest) / 2 * 1e3:.2f} ms",
            file=sys.stderr,
        )
        return (lambda frame: float(start + (latest + earliest) / 2 + slope * frame)), (1 / (slope * RATE) - 1) * 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each row")
    parser.add_argument("--kernel-card", action="store_true", help="measure snd-aloop instead of the sound servers")
    parser.add_argument("--listen", nargs=2, metavar=("DEVICE", "FILE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.listen:
        listen(args.listen[0], args.seconds, Path(args.listen[1]))
        return
    print(HEAD)
    if args.kernel_card:
        print(on_kernel_card(args.seconds).text(), flush=True)
        return
    for ppm in (0.0, 50.0, -50.0):
        print(on_pulse(ppm, args.seconds).text(), flush=True)
    print(on_jack("JACK", "noise", args.seconds).text(), flush=True)
    # ALSA's plugin takes every port for one of a sound card, whose sound is a period older than a client's.
    print(on_jack("JACK through ALSA", "only48", args.seconds, PERIOD / RATE).text(), flush=True)


if __name__ == "__main__":
    main()
