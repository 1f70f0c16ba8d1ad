"""Capture at the hardware seam: what a pulled plug, an overrun and a slow judge leave behind."""

import gc
import os
import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from leakear.edge import pace
from leakear.edge.capture import NO_DEVICE, NO_FRAMES, WRONG_RATE, Capture, CaptureOptions
from leakear.edge.errors import AudioError
from leakear.edge.fake_microphone import FakeSource
from leakear.edge.microphone import BLOCK_S, Deliver, Device, Stream, again, choose
from leakear.edge.pace import Pace
from leakear.edge.spectrogram import SpectrogramSpec
from leakear.edge.windows import Block, SensorFault, Windower

SPEC = SpectrogramSpec()
QUICK = CaptureOptions(deaf_s=0.1, retry_s=0.02, retry_max_s=0.05)
SOUND = (np.random.default_rng(2).standard_normal((48000, 2)) * 0.1).astype(np.float32)


class Script:
    """A source whose deliveries the test makes itself."""

    def __init__(self, channels: int = 1, rate: int = 48000) -> None:
        self.device = Device("Script", 0, channels, rate)
        self.rate = rate
        self.channels = channels
        self.active = True
        self.deliver: Deliver | None = None

    def devices(self) -> Sequence[Device]:
        return [self.device]

    def open(self, device: Device, rate: int, channels: int, deliver: Deliver) -> Stream:  # noqa: ARG002
        self.deliver = deliver
        return self

    def refresh(self) -> None: ...

    def close(self) -> None: ...


def started(script: Script, options: CaptureOptions = QUICK) -> tuple[Capture, Callable[[], Block]]:
    """Return a capture whose stream is open, and what gives its next block."""
    capture = Capture(options, SPEC, script)
    items = iter(capture)
    opener = threading.Timer(0.05, lambda: script.deliver and script.deliver(SOUND[:4800, : script.channels], False))
    opener.start()
    first = next(items)
    opener.join()
    assert isinstance(first, Block)

    def following() -> Block:
        item = next(items)
        assert isinstance(item, Block)
        return item

    return capture, following


def test_blocks_are_the_recording_resampled_in_one_piece() -> None:
    source = FakeSource(SOUND, speed=50)
    with Capture(QUICK, SPEC, source) as capture:
        blocks = [item for item in islice(capture, 9) if isinstance(item, Block)]
        assert capture.status.native_rate == 48000
        assert not capture.status.duplicated_channels
    samples = np.concatenate([block.samples for block in blocks])
    assert np.array_equal(samples, soxr.resample(SOUND[:, 0], 48000, 22050, "HQ")[: len(samples)])
    assert [block.start for block in blocks] == list(np.cumsum([0] + [len(b.samples) for b in blocks[:-1]]))


def test_the_chosen_channel_is_heard_and_fake_stereo_noticed() -> None:
    with Capture(CaptureOptions(channel=2), SPEC, FakeSource(SOUND, speed=50)) as capture:
        block = next(iter(capture))
        assert isinstance(block, Block)
        assert np.array_equal(block.samples, soxr.resample(SOUND[:, 1], 48000, 22050, "HQ")[: len(block.samples)])
    with Capture(QUICK, SPEC, FakeSource(np.repeat(SOUND[:, :1], 2, axis=1), speed=50)) as capture:
        next(iter(capture))
        assert capture.status.duplicated_channels


def test_equal_channels_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    script = Script(channels=2, rate=4800)  # one delivery is a second
    _, following = started(script)
    assert script.deliver
    script.deliver(SOUND[:4800], False)
    following()
    for _ in range(25):
        script.deliver(np.repeat(SOUND[:4800, :1], 2, axis=1), False)
        following()
    told = [record.message for record in caplog.records if "carry the same sound" in record.message]
    assert told == [
        "all 2 channels of Script carry the same sound: it is a mono microphone, or one sensor is not wired"
    ]


def test_the_callers_business_goes_on_while_the_device_is_open_and_silent_and_while_it_is_away() -> None:
    script = Script()
    idle: list[bool] = []
    with Capture(CaptureOptions(deaf_s=1.0, retry_s=0.5), SPEC, script) as capture:
        capture.idle = lambda: idle.append(bool(capture.status.device))
        assert isinstance(next(iter(capture)), SensorFault)
        assert idle.count(True) >= 4, "ten a second while open"
        items = iter(capture)
        next(items)
        next(items)
    assert idle.count(False) >= 2, "and while waiting for the next try"


def test_an_overrun_is_a_gap() -> None:
    script = Script()
    capture, following = started(script)
    assert script.deliver
    script.deliver(SOUND[4800:9600, :1], False)
    before = following()
    script.deliver(SOUND[9600:14400, :1], True)
    after = following()
    assert after.start > before.start + len(before.samples)
    assert capture.status.overruns == 1


def test_a_judge_that_does_not_come_loses_the_oldest_sound_and_hears_of_it() -> None:
    script = Script()
    capture, following = started(script, CaptureOptions(buffer_s=1.0))
    assert script.deliver
    room = round(1.0 / BLOCK_S)
    for _ in range(room + 15):
        script.deliver(SOUND[:4800, :1], False)
    kept = [following() for _ in range(room)]
    assert capture.status.lost_blocks == 15
    windower = Windower(SPEC, 10.0)
    for block in kept:
        windower.push(block)
    assert kept[1].start == kept[0].start + len(kept[0].samples)
    assert kept[0].start > 2205  # behind the gap


def test_a_dead_stream_is_reopened_for_ever_and_the_gap_is_as_long_as_the_silence() -> None:
    source = FakeSource(SOUND, speed=20)
    with Capture(QUICK, SPEC, source) as capture:
        windower = Windower(SPEC, 10.0)
        items = iter(capture)
        for _ in range(30):
            block = next(items)
            assert isinstance(block, Block)
            windower.push(block)
        source.unplug()
        unplugged = time.monotonic()
        faults = list(islice((item for item in items if isinstance(item, SensorFault)), 6))
        assert faults[0].name == NO_FRAMES
        assert "delivers no sound" in faults[0].message
        assert faults[-1].name == NO_DEVICE
        source.plug()
        back = next(item for item in items if isinstance(item, Block))
        assert back.start >= block.start + len(block.samples) + (back.monotonic - unplugged) * 22050
        windower.push(back)
        assert (windower.produced, windower.discarded) == (1, 1)
        assert source.opened == 2


def test_a_device_that_is_not_there_at_boot_is_waited_for() -> None:
    source = FakeSource(SOUND, speed=20, plugged=False)
    source.refresh()
    with Capture(QUICK, SPEC, source) as capture:
        items = iter(capture)
        assert [item.name for item in islice(items, 3) if isinstance(item, SensorFault)] == [NO_DEVICE] * 3
        source.plug()
        assert next(item for item in items if isinstance(item, Block)).start == 0


def test_a_device_that_offers_other_rates_only_is_said_to_refuse() -> None:
    with Capture(CaptureOptions(rate=22050), SPEC, FakeSource(SOUND)) as capture:
        fault = next(iter(capture))
    assert isinstance(fault, SensorFault)
    assert "Invalid sample rate" in fault.message


def test_waits_double_up_to_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    source = FakeSource(SOUND, plugged=False)
    source.refresh()
    tries: list[float] = []
    monkeypatch.setattr(FakeSource, "refresh", lambda _: tries.append(time.monotonic()))
    with Capture(CaptureOptions(retry_s=0.02, retry_max_s=0.08), SPEC, source) as capture:
        for _ in capture:
            if len(tries) == 12:  # without a limit the twelfth would come after 40 s
                break
    waits = np.diff(tries)
    assert waits[0] > 0.035
    assert (waits[1:] > 0.075).all()


def test_stop_ends_a_deaf_capture() -> None:
    source = FakeSource(SOUND, plugged=False)
    source.refresh()
    with Capture(CaptureOptions(), SPEC, source) as capture:
        threading.Timer(0.1, capture.stop).start()
        assert all(isinstance(item, SensorFault) for item in capture)


def test_a_device_that_silently_loses_samples_is_a_fault_until_it_is_right_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "MEASURE_S", 0.4)
    monkeypatch.setattr(pace, "TOLERANCE", 0.3)  # in so short a time one block more or less is 12 %
    source = FakeSource(SOUND, speed=0.4)
    with Capture(CaptureOptions(deaf_s=2, retry_s=0.02, retry_max_s=0.05), SPEC, source) as capture:
        items = iter(capture)
        fault = next(item for item in items if isinstance(item, SensorFault))
        assert fault.name == WRONG_RATE
        assert "of the samples that 48000 Hz promise" in fault.message
        following = list(islice(items, 3))
        assert {item.name for item in following if isinstance(item, SensorFault)} == {WRONG_RATE}
        assert len(following) == 3, "nothing of it is heard"
        assert source.opened >= 2, "and it is opened anew"
        source.speed = 1.0
        assert next(item for item in items if isinstance(item, Block)).start > 0


def minutes(shares: Sequence[float], start: float = 0.0, every: float = 1.0) -> list[tuple[int, float]]:
    """Deliveries of a 48 kHz device that gives these shares of what is due, minute after minute."""
    given, now = [], start
    for share in shares:
        for _ in range(round(60 / every)):
            now += every
            given.append((round(48000 * every * share), now))
    return given


@pytest.mark.parametrize(
    ("shares", "trusted"),
    [
        ([1.0002] * 10, True),  # quartz
        ([1.4, 1, 1], True),  # a sound server that begins with what it had kept
        ([1, 1, 0.3, 1, 1], True),  # a machine that stood still for most of a minute
        ([1, 0.95, 1.05, 1], True),  # a late delivery, made up for
        ([1, 0.97, 0.97], False),
        ([1.0884] * 2 + [1.0884], False),  # 48 kHz that call themselves 44.1
        ([0.4, 0.4, 0.4], False),
        ([0.4, 0.4, 0.4, 1, 1], True),
    ],
)
def test_only_two_minutes_in_a_row_off_the_clock_are_a_wrong_rate(shares: list[float], trusted: bool) -> None:
    counted = Pace(48000)
    for samples, monotonic in [(2400, 0.0), *minutes(shares)]:
        counted.hear(samples, monotonic)
    assert counted.trusted is trusted


def test_a_known_gap_is_no_wrong_rate() -> None:
    counted = Pace(48000)
    for _ in range(10):
        for samples, monotonic in minutes([1.0])[:50]:
            counted.hear(samples, monotonic)
        counted.restart()  # an overrun, or the judge did not come
    assert counted.trusted


class Cards(Script):
    """A sound system whose cards come and go."""

    def __init__(self, *cards: Device) -> None:
        super().__init__(rate=48000)
        self.cards = cards

    def devices(self) -> Sequence[Device]:
        return self.cards

    def open(self, device: Device, rate: int, channels: int, deliver: Deliver) -> Stream:
        self.device = device
        threading.Timer(0.02, deliver, (SOUND[:4800, :1], False)).start()
        return super().open(device, rate, channels, deliver)


CONTACT = Device("Contact: Audio (hw:Contact,0)", 1, 1, 48000, "Contact", "0d8c:0014")
WEBCAM = Device("Webcam mic (hw:C920,0)", 2, 1, 48000, "C920", "046d:0892")


def test_an_unnamed_microphone_is_not_replaced_by_the_next_one() -> None:
    cards = Cards(CONTACT, WEBCAM)
    with Capture(QUICK, SPEC, cards) as capture:
        items = iter(capture)
        assert isinstance(next(items), Block)
        cards.cards = (WEBCAM,)
        faults = list(islice((item for item in items if isinstance(item, SensorFault)), 10))
        assert faults[-1].name == NO_DEVICE
        assert "'Contact: Audio (hw:Contact,0)' is gone and no other is taken for it" in faults[-1].message
        back = Device("Contact: Audio (hw:Contact_1,0)", 3, 1, 48000, "Contact_1", "0d8c:0014")  # a quick replug
        cards.cards = (WEBCAM, back)
        assert next(item for item in items if isinstance(item, Block))
        assert cards.device is back


def test_of_two_alike_the_one_heard_before_is_known_by_its_card() -> None:
    twin = Device("Contact: Audio (hw:Contact_1,0)", 3, 1, 48000, "Contact_1", "0d8c:0014")
    assert again([twin, CONTACT], CONTACT) is CONTACT


def test_200_pulled_plugs_leave_threads_descriptors_and_memory_where_they_were() -> None:
    source = FakeSource(SOUND, speed=50)
    options = CaptureOptions(deaf_s=0.02, retry_s=0.002, retry_max_s=0.01)
    with Capture(options, SPEC, source) as capture:
        items = iter(capture)

        def cycle() -> None:
            next(item for item in items if isinstance(item, Block))
            source.unplug()
            next(item for item in items if isinstance(item, SensorFault))
            source.plug()

        for _ in range(20):
            cycle()
        before = resources()
        for _ in range(200):
            cycle()
        after = resources()
    assert after[:2] == before[:2]
    assert after[2] - before[2] < 1 << 20, "resident memory grew"
    assert source.opened >= 220


def resources() -> tuple[int, int, int]:
    """Threads, descriptors, resident bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir())), pages * os.sysconf("SC_PAGE_SIZE")


DEVICES = [
    Device("USB Audio Device: -", 0, 1, 48000, "Device", "0d8c:0014"),
    Device("USB Audio Device: - #2", 1, 1, 48000, "Device_1", "0d8c:0014"),
    Device("pulse", 2, 32, 44100),
    Device("default", 3, 32, 44100),
]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [("", 3), ("pulse", 2), ("Device_1", 1), ("device", 0), ("*#2", 1), ("USB Audio Device: -", 0)],
)
def test_devices_are_chosen_by_names_that_stay(wanted: str, index: int) -> None:
    assert choose(DEVICES, wanted).index == index


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [("0d8c:0014", "fits several"), ("usb", "fits several"), ("Scarlett", "not present; found: 'USB")],
)
def test_a_name_that_fits_none_or_several_is_refused(wanted: str, sentence: str) -> None:
    with pytest.raises(AudioError, match=sentence):
        choose(DEVICES, wanted)


def test_frames_are_copied_in_the_callback() -> None:
    script = Script()
    _, following = started(script)
    assert script.deliver
    driver_buffer: NDArray[np.float32] = SOUND[4800:9600, :1].copy()
    script.deliver(driver_buffer, False)
    driver_buffer[:] = 9.0  # the driver uses its buffer again
    assert np.abs(following().samples).max() < 1
