"""Whether the time is right. A node has no battery clock: it starts in 1970, or at the time it was switched off.

The kernel knows whether a program (timesyncd, chrony, ntpd) keeps its clock. A jump of the wall clock against the
monotonic one shows that a synchronised clock was changed by something else. Events carry the result as `clock_synced`;
where it is false, their order is that of `seq`. `Bucket` limits how often something is done.
"""

import ctypes
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)

TIMESYNC = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd creates it at its first synchronisation after a boot"""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
STA_UNSYNC = 0x40
"""adjtimex(2): the clock is not synchronised"""
FIRST_PLAUSIBLE = 1735689600.0
"""POSIX seconds of 2025-01-01: no event of this software is older"""
JUMP_S = 2.0
"""s by which the wall clock may differ from the monotonic one between two calls of `look`"""
DISTRUST_S = 3600.0
"""s after a jump of a synchronised clock for which it counts as not synchronised"""


def boot_id() -> str:
    """Id of this boot of the machine; empty where the kernel gives none."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def kernel_synced() -> bool:
    """Whether the kernel's clock is synchronised: by adjtimex, or by timesyncd's file where a sandbox forbids that."""
    timex = adjtimex()
    return TIMESYNC.exists() if timex is None else not timex.status & STA_UNSYNC


def elapsed() -> float:
    """Seconds since boot, sleep included; setting the clock does not change it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """Watches the wall clock. Call `look` often (each block); read `synced`, `faults`."""

    def __init__(
        self,
        kernel: Callable[[], bool] = kernel_synced,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = elapsed,
        boot: Callable[[], str] = boot_id,
    ) -> None:
        self._boot = boot()
        self.synced = False
        self.faults: dict[str, str] = {}
        self._kernel, self._wall, self._steady = kernel, wall, steady
        self._offset = wall() - steady()
        self._trusted_offset = self._offset
        self._distrust_until = -1.0
        self._was_kept = False
        self._next = -1.0
        self.look()

    def look(self) -> bool:
        """Compare the clocks (at most once a second) and return `synced`."""
        now = self._steady()
        if 0 <= self._next - now <= 1:
            return self.synced
        self._next = now + 1
        kept = self._kernel()
        offset = self._wall() - now
        if abs(offset - self._offset) > JUMP_S:
            self._jumped(offset - self._offset, now)
        self._offset = offset
        if (kept and not self._was_kept) or abs(offset - self._trusted_offset) <= JUMP_S or now >= self._distrust_until:
            self._trust(offset)
        self._was_kept = kept
        self.synced = kept and self._distrust_until < 0 and self._wall() >= FIRST_PLAUSIBLE
        return self.synced

    def boot(self) -> tuple[str, float]:
        """Return the id of this boot (empty: not known) and the seconds since it, sleep included."""
        return self._boot, self._steady()

    def _jumped(self, seconds: float, now: float) -> None:
        log.warning("the wall clock jumped by %+.1f s", seconds)
        if self.synced or self._distrust_until >= 0:
            self._distrust_until = now + DISTRUST_S
            self.faults["clock_jumped"] = (
                f"the wall clock jumped by {seconds:+.0f} s although it was synchronised: times may be wrong"
                " until it is synchronised again."
            )

    def _trust(self, offset: float) -> None:
        self._trusted_offset, self._distrust_until = offset, -1.0
        self.faults.clear()


class Timex(ctypes.Structure):
    """`struct timex` of the C library: `modes`, `maxerror` (µs) and `status` are used; the rest is room for it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def adjtimex() -> Timex | None:
    """Ask the kernel about its clock (adjtimex(2)), changing nothing; None where it may not be asked."""
    try:
        call = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None
    buffer = Timex()
    return None if call(ctypes.byref(buffer)) < 0 else buffer


@dataclass
class FixedClock:
    """The clock of a recording: synchronised when the user gave its start."""

    synced: bool
    faults: Mapping[str, str] = field(default_factory=dict)

    def look(self) -> bool:
        """Return whether the start of the recording was given."""
        return self.synced

    def boot(self) -> None:
        """Return None: the recording has its own time."""


class Bucket:
    """A token bucket: `burst` tokens at most, `per_second` new ones a second."""

    def __init__(self, burst: float, per_second: float, clock: Callable[[], float]) -> None:
        self._burst, self._rate, self._clock = burst, per_second, clock
        self._tokens, self._at = burst, clock()

    def ready(self) -> bool:
        """Whether there is a token."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return self._tokens >= 1

    def take(self) -> bool:
        """Spend a token if there is one."""
        if not self.ready():
            return False
        self._tokens -= 1
        return True
