"""Access to the sound hardware: which devices there are, and a stream of frames from one of them.

It is PortAudio on a node (`SoundDeviceSource`), `fake_microphone.FakeSource` in tests and demonstrations.
A source's thread only hands frames over; everything else happens on the main thread in `capture`.
"""

import fnmatch
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from leakear.edge.errors import AudioError

Deliver: TypeAlias = Callable[[NDArray[np.float32], bool, float | None], None]
"""Called by the source's thread with frames, shape (n, channels), whether some were lost just before them, and the age
of the first of them in s (None: the driver does not say). It must copy what it keeps."""

BLOCK_S = 0.05
"""Seconds of sound handed over at once: a window waits this long at most for its last sample."""
DRIVER_BUFFER_S = 4 * BLOCK_S
"""Seconds that a sound card's driver keeps while nobody fetches: four of PortAudio's periods, so that a period stays
one block. PortAudio's own choice ("high") is 35 to 50 ms, which a busy machine sleeps through (decision 200). A sound
server keeps the sound itself, and would only hand it over later: there PortAudio's choice holds."""
LONGEST_TURN_S = 1.0
"""s from a driver's stamp to Python's turn; a greater difference is that of two clocks"""
_SERVERS = ("pulse", "pipewire", "default", "sysdefault", "jack", "dmix", "plughw", "samplerate", "speexrate")
"""Devices behind which something else resamples and mixes."""
_OTHER_RATES = (48000, 44100, 96000, 32000, 22050, 16000, 8000)
"""Rates tried after the device's own, Hz."""


@dataclass(frozen=True, slots=True)
class Device:
    """A capture device, with every name it may be found by."""

    name: str
    """name in the sound system, with the card's id instead of its number, which changes at every boot"""
    index: int
    """present number; never stored"""
    channels: int
    """most input channels"""
    rate: int
    """the device's own rate, Hz"""
    card_id: str = ""
    """ALSA's short name of the card"""
    usb_id: str = ""
    """USB vendor:product"""

    @property
    def server(self) -> bool:
        """Whether it is a sound server: its rate is not the hardware's."""
        return self.name.lower().split(":")[0] in _SERVERS


class Stream(Protocol):
    """An open device."""

    device: Device
    rate: int
    """Hz, at which frames are delivered"""
    channels: int

    @property
    def active(self) -> bool:
        """False once the stream has certainly ended. True is not reliable: PortAudio does not notice a pulled plug."""

    def close(self) -> None:
        """Stop the thread and free the device. Never raises."""


class Source(Protocol):
    """A sound system."""

    def devices(self) -> Sequence[Device]:
        """Name the capture devices present. Raises AudioError."""

    def open(self, device: Device, rate: int, channels: int, deliver: Deliver) -> Stream:
        """Start a stream; `rate` 0 means the device's own. Raises AudioError."""

    def refresh(self) -> None:
        """Search for devices again. Ends every open stream of the process."""


def choose(devices: Sequence[Device], wanted: str) -> Device:
    """Find the one device that `wanted` names: an id or a name, else a pattern or part of a name.

    Empty means the system's default. Raises AudioError when none or several fit.
    """
    found = ", ".join(repr(device.name) for device in devices) or "none"
    if not devices:
        raise AudioError("no capture device is present: plug the microphone in")
    text = wanted.strip().lower()
    if not text:
        return next((device for device in devices if device.name.lower() == "default"), devices[0])
    exact = [d for d in devices if text in (d.name.lower(), d.card_id.lower(), d.usb_id.lower())]
    loose = [d for d in devices if fnmatch.fnmatch(d.name.lower(), text) or text in d.name.lower()]
    fitting = exact or loose
    if not fitting:
        raise AudioError(f"device {wanted!r} is not present; found: {found}")
    if len(fitting) > 1:
        raise AudioError(f"device {wanted!r} fits several: {', '.join(repr(d.name) for d in fitting)}; be more exact")
    return fitting[0]


def find_again(devices: Sequence[Device], before: Device) -> Device:
    """Find a device that was open before, whatever number and card id it has now.

    Raises AudioError when it is absent: another microphone must not be taken for the one on the pipe.
    """
    same = [d for d in devices if (d.name, d.usb_id) == (before.name, before.usb_id)]
    alike = [d for d in devices if (_stem(d.name), d.usb_id) == (_stem(before.name), before.usb_id)]
    fitting = same or alike
    if len(fitting) == 1:
        return fitting[0]
    found = ", ".join(repr(device.name) for device in devices) or "none"
    raise AudioError(
        f"the microphone {before.name!r} is gone, and no other one is used instead (found: {found}): plug it in, or "
        "name another one in [audio] device"
    )


def _stem(name: str) -> str:
    """Remove the card's id: a quick reconnection may change `Device` into `Device_1`."""
    return re.sub(r"\s*\(hw:[^)]*\)$", "", name)


class SoundDeviceSource:
    """PortAudio through the sounddevice package."""

    def devices(self) -> Sequence[Device]:
        """Name the capture devices PortAudio saw when it was last refreshed."""
        sd = _sounddevice()
        default = _default_input(sd)
        listed = [_device(index, info) for index, info in enumerate(sd.query_devices())]
        present = [device for device in listed if device.channels > 0]
        return sorted(present, key=lambda device: device.index != default)

    def open(self, device: Device, rate: int, channels: int, deliver: Deliver) -> Stream:
        """Open in callback mode at the first rate the device accepts. Raises AudioError."""
        sd = _sounddevice()
        refusals = []
        for candidate in _rates(rate, device.rate):
            try:
                return _SoundDeviceStream(sd, device, candidate, min(channels, device.channels), deliver)
            except (sd.PortAudioError, ValueError) as error:
                refusals.append(f"{candidate} Hz: {error}")
        raise AudioError(f"device {device.name!r} does not open: {refusals[0]}; does another program hold it?")

    def refresh(self) -> None:
        """Initialise PortAudio again: else it never finds a device that was plugged in later. Raises AudioError."""
        sd = _sounddevice()
        try:
            sd._terminate()  # noqa: SLF001  the only way sounddevice offers
        finally:
            try:
                sd._initialize()  # noqa: SLF001
            except sd.PortAudioError as error:
                raise AudioError(f"the sound system does not start: {error}; check /etc/asound.conf") from error


class _SoundDeviceStream:
    """A running PortAudio stream."""

    def __init__(self, sd: Any, device: Device, rate: int, channels: int, deliver: Deliver) -> None:
        def callback(frames: NDArray[np.float32], _count: int, when: Any, status: Any) -> None:
            age_s = age(when.inputBufferAdcTime, when.currentTime, time.monotonic())
            deliver(frames, bool(status.input_overflow), age_s)

        self.device = device
        self.rate = rate
        self.channels = channels
        self._stream = sd.InputStream(
            samplerate=rate,
            blocksize=round(rate * BLOCK_S),
            device=device.index,
            channels=channels,
            dtype="float32",  # PortAudio converts from int16, int24 and int32
            latency="high" if device.server else DRIVER_BUFFER_S,
            callback=callback,
        )
        try:
            self._stream.start()
        except sd.PortAudioError:
            self._stream.close(ignore_errors=True)
            raise

    @property
    def active(self) -> bool:
        return bool(self._stream.active)

    def close(self) -> None:
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)


def age(converted: float, stamped: float, monotonic: float) -> float | None:
    """Return s since the first sample of a delivery was converted; None: the driver does not say.

    `converted` and `stamped` (PortAudio's `inputBufferAdcTime`, `currentTime`) share a clock. For ALSA's cards it is
    the monotonic one: then the time from the driver's stamp to Python's turn is known too, and counts. Otherwise only
    their difference is of use.
    """
    if converted <= 0:
        return None
    waited = monotonic - stamped
    return stamped - converted + (waited if 0 <= waited <= LONGEST_TURN_S else 0.0)


def _sounddevice() -> Any:
    try:
        import sounddevice
    except OSError as error:  # no PortAudio library; PortAudioError at a malformed asoundrc
        raise AudioError(f"PortAudio cannot be loaded ({error}): install libportaudio2") from error
    except Exception as error:
        raise AudioError(f"the sound system does not start: {error}; check ~/.asoundrc and /etc/asound.conf") from error
    return sounddevice


def _default_input(sd: Any) -> int:
    try:
        return int(sd.query_devices(kind="input")["index"])
    except (sd.PortAudioError, ValueError):
        return -1


def _rates(wanted: int, native: int) -> Sequence[int]:
    return (wanted,) if wanted else tuple(dict.fromkeys((native, *_OTHER_RATES)))


def _device(index: int, info: Any) -> Device:
    name = str(info["name"])
    card = re.search(r"\(hw:(\d+)", name)
    card_id = _proc(card[1], "id") if card else ""
    return Device(
        name=name.replace(f"(hw:{card[1]}", f"(hw:{card_id}") if card and card_id else name,
        index=index,
        channels=int(info["max_input_channels"]),
        rate=round(info["default_samplerate"]),
        card_id=card_id,
        usb_id=_proc(card[1], "usbid") if card else "",
    )


def _proc(card: str, name: str) -> str:
    try:
        return Path(f"/proc/asound/card{card}/{name}").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def running_rates() -> Sequence[str]:
    """Read the present rate of the hardware: one text for each open capture device, as ALSA reports it."""
    running = []
    for path in sorted(Path("/proc/asound").glob("card*/pcm*c/sub*/hw_params")):
        fields = dict(line.split(": ", 1) for line in path.read_text().splitlines() if ": " in line)
        if fields:
            running.append(f"{path.parent.parent.parent.name} {fields.get('format')} {fields.get('rate')}")
    return running
