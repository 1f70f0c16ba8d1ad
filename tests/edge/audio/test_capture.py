"""Capture at the hardware seam: what a pulled plug, an overrun and a slow judge leave behind."""

import gc
import os
import threading
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.audio.capture import NO_DEVICE, NO_FRAMES, Capture, CaptureOptions, CaptureStatus
from leakear.edge.audio.fake_microphone import FakeSource
from leakear.edge.audio.microphone import BLOCK_S
from leakear.edge.windows import Windower
from tests.support.microphones import QUICK, SOUND, SPEC, Script, started


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
    script.deliver(SOUND[:4800], False, None)
    following()
    for _ in range(25):
        script.deliver(np.repeat(SOUND[:4800, :1], 2, axis=1), False, None)
        following()
    told = [record.message for record in caplog.records if "carry the same sound" in record.message]
    assert told == [
        "all 2 channels of Script carry the same sound: it is a mono microphone, or one sensor is not wired"
    ]


def test_the_callers_business_goes_on_while_the_device_is_open_and_silent_and_while_it_is_away() -> None:
    script = Script()
    idle, status = list[bool](), CaptureStatus()
    options = CaptureOptions(deaf_s=1.0, retry_s=0.5)
    with Capture(options, SPEC, script, status=status, idle=lambda: idle.append(bool(status.device))) as capture:
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
    script.deliver(SOUND[4800:9600, :1], False, None)
    before = following()
    script.deliver(SOUND[9600:14400, :1], True, None)
    after = following()
    assert after.start > before.start + len(before.samples)
    assert capture.status.overruns == 1


def test_a_judge_that_does_not_come_loses_the_oldest_sound_and_hears_of_it() -> None:
    script = Script()
    capture, following = started(script, CaptureOptions(buffer_s=1.0))
    assert script.deliver
    room = round(1.0 / BLOCK_S)
    for _ in range(room + 15):
        script.deliver(SOUND[:4800, :1], False, None)
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


def test_frames_are_copied_in_the_callback() -> None:
    script = Script()
    _, following = started(script)
    assert script.deliver
    driver_buffer: NDArray[np.float32] = SOUND[4800:9600, :1].copy()
    script.deliver(driver_buffer, False, None)
    driver_buffer[:] = 9.0  # the driver uses its buffer again
    assert np.abs(following().samples).max() < 1
