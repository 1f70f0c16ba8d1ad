"""Which device is heard, and whether it delivers what it says."""

import threading
from collections.abc import Sequence
from itertools import islice

import pytest

from leakear.edge.audio import rate_check
from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.audio.capture import NO_DEVICE, WRONG_RATE, Capture, CaptureOptions
from leakear.edge.audio.fake_microphone import FakeSource
from leakear.edge.audio.microphone import Deliver, Device, Stream, age, choose, find_again
from leakear.edge.audio.rate_check import RateCheck
from leakear.edge.errors import AudioError
from tests.support.microphones import QUICK, SOUND, SPEC, Script


def test_a_device_that_silently_loses_samples_is_a_fault_until_it_is_right_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate_check, "MEASURE_S", 0.4)
    monkeypatch.setattr(rate_check, "TOLERANCE", 0.3)  # in so short a time one block more or less is 12 %
    source = FakeSource(SOUND, speed=0.4)
    with Capture(CaptureOptions(deaf_s=2, retry_s=0.02, retry_max_s=0.05), SPEC, source) as capture:
        items = iter(capture)
        fault = next(item for item in items if isinstance(item, SensorFault))
        assert fault.name == WRONG_RATE
        assert "of the samples that 48000 Hz require" in fault.message
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
    counted = RateCheck(48000)
    for samples, monotonic in [(2400, 0.0), *minutes(shares)]:
        counted.count(samples, monotonic)
    assert counted.trusted is trusted


def test_a_known_gap_is_no_wrong_rate() -> None:
    counted = RateCheck(48000)
    for _ in range(10):
        for samples, monotonic in minutes([1.0])[:50]:
            counted.count(samples, monotonic)
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
        threading.Timer(0.02, deliver, (SOUND[:4800, :1], False, None)).start()
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
        assert "'Contact: Audio (hw:Contact,0)' is gone, and no other one is used instead" in faults[-1].message
        back = Device("Contact: Audio (hw:Contact_1,0)", 3, 1, 48000, "Contact_1", "0d8c:0014")  # a quick replug
        cards.cards = (WEBCAM, back)
        assert next(item for item in items if isinstance(item, Block))
        assert cards.device is back


def test_of_two_alike_the_one_heard_before_is_known_by_its_card() -> None:
    twin = Device("Contact: Audio (hw:Contact_1,0)", 3, 1, 48000, "Contact_1", "0d8c:0014")
    assert find_again([twin, CONTACT], CONTACT) is CONTACT


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


@pytest.mark.parametrize(
    ("converted", "stamped", "monotonic", "expected"),
    [
        (99.9, 100.0, 100.003, 0.103),  # one clock: the 3 ms until Python had its turn count
        (99.9, 100.0, 1.7e9, 0.1),  # stamps of the wall clock
        (1.7e9 - 0.1, 1.7e9, 100.0, 0.1),
        (99.9, 100.0, 99.9999, 0.1),  # a stamp that lies ahead is of another clock
        (0.0, 100.0, 100.003, None),
    ],
)
def test_the_age_of_a_delivery_counts_how_long_python_waited(
    converted: float, stamped: float, monotonic: float, expected: float | None
) -> None:
    assert age(converted, stamped, monotonic) == (expected if expected is None else pytest.approx(expected, abs=1e-6))
