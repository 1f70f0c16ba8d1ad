"""By how much the clock may be wrong: what chronyd says, what the kernel says, and who is believed."""

import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leakear.edge.recording.clock_bound import (
    ANSWER_BYTES,
    GOOD_FOR_S,
    UNKNOWN,
    Bound,
    ClockBound,
    of_kernel,
    read_answer,
)


def chrony_float(value: float) -> int:
    """Chrony's 32-bit floating point of a value that is not negative."""
    exponent = 0
    while value and value < 2**23:
        value, exponent = value * 2, exponent - 1
    return ((exponent + 25) & 0x7F) << 25 | round(value)


def answer(sequence: int = 1, reference: int = 0xC0A80001, family: int = 1, leap: int = 0) -> bytes:
    floats = [chrony_float(value) for value in (0.0002, 0, 0, 0, 0, 0, 0.004, 0.0005, 0)]
    head = struct.pack(">BBBBHHHHHHIII", 6, 2, 0, 0, 33, 5, 0, 0, 0, 0, sequence, 0, 0)
    return head + struct.pack(">I16sHHHHIII9I", reference, b"", family, 0, 2, leap, 0, 0, 0, *floats)


def test_the_bound_is_offset_plus_dispersion_plus_half_the_delay() -> None:
    said = read_answer(answer(), 1)
    assert said is not None
    assert said.source == "chrony"
    assert said.bound_s == pytest.approx(0.0002 + 0.0005 + 0.002, rel=1e-6)


def test_pulses_of_a_gps_receiver_are_named() -> None:
    said = read_answer(answer(reference=int.from_bytes(b"PPS0", "big"), family=0), 1)
    assert said is not None
    assert said.source == "pps"


@pytest.mark.parametrize(("reference", "leap"), [(0, 0), (0x7F7F0101, 0), (0xC0A80001, 3)])
def test_a_chronyd_without_a_source_knows_nothing(reference: int, leap: int) -> None:
    assert read_answer(answer(reference=reference, leap=leap), 1) == UNKNOWN


@pytest.mark.parametrize(
    "foreign", [b"", bytes(27), bytes(ANSWER_BYTES), answer(sequence=2), answer()[:-1], b"\xff" * 200]
)
def test_anything_else_is_not_an_answer(foreign: bytes) -> None:
    assert read_answer(foreign, 1) is None


@pytest.fixture
def fake() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        yield server


def test_an_answer_counts_for_a_while_and_then_the_kernel_is_asked(fake: socket.socket) -> None:
    now, kernel = [0.0], Bound("kernel", 0.3)
    bound = ClockBound(lambda: kernel, fake.getsockname(), lambda: now[0])
    assert bound.look() == kernel
    _, asker = fake.recvfrom(1024)
    fake.sendto(answer(sequence=7), asker)  # to another question
    fake.sendto(answer(), asker)
    time.sleep(0.05)
    now[0] = 2.0
    assert bound.look().source == "chrony"
    now[0] = 2.0 + GOOD_FOR_S
    assert bound.look() == kernel
    bound.close()


def test_without_chronyd_nothing_fails() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        nobody = free.getsockname()
    now = [0.0]
    bound = ClockBound(lambda: UNKNOWN, nobody, lambda: now[0])
    for _ in range(5):
        assert bound.look() == UNKNOWN
        now[0] += 20
    bound.close()


def test_the_kernel_of_this_machine_can_be_asked() -> None:
    said = of_kernel()
    assert (said == UNKNOWN) or (said.bound_s is not None and said.bound_s >= 0)


def test_a_real_chronyd_is_understood(tmp_path: Path) -> None:
    """A chronyd that follows another one on this machine, without touching the clock (-x)."""
    program = shutil.which("chronyd", path=os.environ["PATH"] + ":/usr/sbin")
    if program is None or shutil.which("chronyc") is None:
        pytest.skip("not installed here: chrony")
    ports = []
    for _ in range(3):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    served, ask_server, ask_client = ports
    configurations = {
        "server": f"local stratum 1\nport {served}\nallow 127.0.0.1\ncmdport {ask_server}\n",
        "client": f"server 127.0.0.1 port {served} iburst minpoll -2 maxpoll 0 xleave\nport 0\ncmdport {ask_client}\n",
    }
    running = []
    try:
        for name, text in configurations.items():
            rest = f"bindcmdaddress 127.0.0.1\nbindcmdaddress /\npidfile {tmp_path}/{name}.pid\n"
            (tmp_path / name).write_text(text + rest)
            with (tmp_path / f"{name}.log").open("wb") as log:
                command = [program, "-x", "-d", "-u", "root", "-f", str(tmp_path / name)]
                running.append(subprocess.Popen(command, stdout=log, stderr=log))
        assert _said_by(("127.0.0.1", ask_server), lambda said: said is not None) == UNKNOWN  # it follows nobody
        said = _said_by(("127.0.0.1", ask_client), lambda said: said.source == "chrony" and said.bound_s < 0.05)
        asked = ["chronyc", "-c", "-h", "127.0.0.1", "-p", str(ask_client), "tracking"]
        told = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10).stdout.split(",")
        offset, delay, dispersion = (abs(float(told[at])) for at in (4, 10, 11))
        assert said.bound_s == pytest.approx(offset + dispersion + delay / 2, abs=0.005)
    finally:
        for process in running:
            process.terminate()
            process.wait(10)


def _said_by(chronyd: tuple[str, int], enough: Callable[[Any], bool]) -> Bound:
    now = [0.0]
    bound = ClockBound(lambda: Bound("not asked", None), chronyd, lambda: now[0])
    deadline = time.monotonic() + 30
    while (said := bound.look()).source == "not asked" or not enough(said):
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
        now[0] += 20
    bound.close()
    return said
