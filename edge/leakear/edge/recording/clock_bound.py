"""Clock bound: by how much the node's clock may differ from UTC, and who says so.

chronyd knows it best. It is asked over its command port on this machine (UDP 323; protocol of chrony's `candm.h`,
version 6, the packet that `chronyc tracking` sends): error <= |offset| + root dispersion + root delay / 2. Without
chronyd the kernel's `maxerror` is taken (adjtimex(2)), which grows by half a millisecond a second between two
corrections, so it is a loose bound. Nothing here waits: an answer is read when `look` is called the next time.
"""

import logging
import math
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from leakear.edge.clock import STA_UNSYNC, adjtimex, elapsed

log = logging.getLogger(__name__)

NONE, KERNEL, CHRONY, PPS = "none", "kernel", "chrony", "pps"
CHRONYD = ("127.0.0.1", 323)
ASK_EVERY_S = 16.0
"""s between two questions to chronyd"""
GOOD_FOR_S = 64.0
"""s for which an answer of chronyd counts"""
STA_PPSSIGNAL = 0x100
"""adjtimex(2): pulses of a GPS receiver arrive at the kernel"""
ANSWER_BYTES = 104
_QUESTION = struct.Struct(">BBBBHHIII")  # version, type, 2 reserved, command, attempt, sequence, 2 of padding
_ANSWER = struct.Struct(
    ">BBBBHHHHHHIII"
)  # version, type, 2 reserved, command, reply, status, padding, sequence, padding
_TRACKING = struct.Struct(">I16sHHHHIII9I")
_TRACKING_COMMAND, _TRACKING_REPLY, _VERSION = 33, 5, 6
_LOCAL = 0x7F7F0101
"""reference of a chronyd that only follows its own clock"""
_NOT_SYNCHRONISED = 3


@dataclass(frozen=True, slots=True)
class Bound:
    """How well the clock is known."""

    source: str
    """none, kernel, chrony or pps"""
    bound_s: float | None
    """s by which the clock differs from UTC at most; None: not known"""


UNKNOWN = Bound(NONE, None)


class ClockBound:
    """Call `look` often (each block): it asks at most every 16 s, and returns what is known."""

    def __init__(
        self,
        kernel: "Callable[[], Bound] | None" = None,
        chronyd: tuple[str, int] = CHRONYD,
        steady: Callable[[], float] = elapsed,
    ) -> None:
        self._kernel, self._steady = kernel or of_kernel, steady
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._chronyd = chronyd
        self._sequence = 0
        self._asked = -ASK_EVERY_S
        self._answered = (-GOOD_FOR_S, UNKNOWN)  # s, and what chronyd said
        self._known = (-1.0, UNKNOWN)

    def look(self) -> Bound:
        """Return what is known now (at most once a second anew)."""
        now = self._steady()
        if 0 <= now - self._known[0] < 1:
            return self._known[1]
        self._read(now)
        if now - self._asked >= ASK_EVERY_S:
            self._ask(now)
        at, said = self._answered
        self._known = (now, said if now - at < GOOD_FOR_S else self._kernel())
        return self._known[1]

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _ask(self, now: float) -> None:
        self._asked, self._sequence = now, self._sequence + 1
        question = _QUESTION.pack(_VERSION, 1, 0, 0, _TRACKING_COMMAND, 0, self._sequence, 0, 0)
        try:
            self._socket.sendto(question.ljust(ANSWER_BYTES, b"\0"), self._chronyd)
        except OSError as error:
            log.debug("chronyd cannot be asked: %s", error)

    def _read(self, now: float) -> None:
        for _ in range(8):
            try:
                answer, sender = self._socket.recvfrom(1024)
            except OSError:  # nothing there, or nobody listens on that port
                return
            said = read_answer(answer, self._sequence) if sender == self._chronyd else None
            if said is not None:
                self._answered = (now, said)


def read_answer(answer: bytes, sequence: int) -> Bound | None:
    """Read chronyd's answer to the question `sequence`; None for anything else."""
    if len(answer) < ANSWER_BYTES:
        return None
    version, kind, _, _, command, reply, status, *_, number, _, _ = _ANSWER.unpack_from(answer)
    expected = (_VERSION, 2, _TRACKING_COMMAND, _TRACKING_REPLY, 0, sequence)
    if (version, kind, command, reply, status, number) != expected:
        return None
    reference, _, family, _, _, leap, _, _, _, *floats = _TRACKING.unpack_from(answer, _ANSWER.size)
    offset, _, _, _, _, _, delay, dispersion, _ = map(_float, floats)
    bound = abs(offset) + dispersion + delay / 2
    if leap == _NOT_SYNCHRONISED or reference in (0, _LOCAL) or not math.isfinite(bound):
        return UNKNOWN
    pulses = family == 0 and reference.to_bytes(4, "big").startswith(b"PPS")
    return Bound(PPS if pulses else CHRONY, bound)


def _float(word: int) -> float:
    """Read chrony's own 32-bit floating point: 7 bits of exponent, 25 of coefficient, both signed."""
    exponent, coefficient = word >> 25, word & 0x1FFFFFF
    exponent -= (exponent >> 6) << 7
    coefficient -= (coefficient >> 24) << 25
    return coefficient * 2.0 ** (exponent - 25)


def of_kernel() -> Bound:
    """Return what the kernel says of its clock."""
    timex = adjtimex()
    if timex is None or timex.status & STA_UNSYNC:
        return UNKNOWN
    return Bound(PPS if timex.status & STA_PPSSIGNAL else KERNEL, timex.maxerror / 1e6)
