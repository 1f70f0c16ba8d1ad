"""Whether the time can be believed. A node has no battery clock: it wakes up in 1970, or where it was switched off.

The kernel knows whether something (timesyncd, chrony, ntpd) keeps its clock; only a jump of the wall clock against the
monotonic one tells that a clock once synchronised no longer deserves it. Events carry the answer as `clock_synced`;
where it is false their order is that of `seq`.
"""

import ctypes
import logging
import time
from collections.abc import Callable
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
"""s by which the wall clock may leave the monotonic one between two looks"""
DOUBT_S = 3600.0
"""s after a jump of a synchronised clock before the kernel's word counts again"""


def boot_id() -> str:
    """Name of this boot of the machine; empty where the kernel does not say."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def kernel_synced() -> bool:
    """Whether the kernel's clock is kept by something: adjtimex, or timesyncd's mark where a sandbox forbids that."""
    status = _adjtimex_status()
    return TIMESYNC.exists() if status is None else not status & STA_UNSYNC


def elapsed() -> float:
    """Seconds since boot, sleep included, which no clock setting moves."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """Watches the wall clock. Call `look` every so often (each block); read `synced`, `faults`."""

    def __init__(
        self,
        kernel: Callable[[], bool] = kernel_synced,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = elapsed,
        boot: Callable[[], str] = boot_id,
    ) -> None:
        self._boot = boot()
        self.synced = False
        self.jumps = 0
        """how often the wall clock jumped since the start"""
        self.faults: dict[str, str] = {}
        self._kernel, self._wall, self._steady = kernel, wall, steady
        self._offset = wall() - steady()
        self._believed = self._offset
        self._doubt_until = -1.0
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
        if (kept and not self._was_kept) or abs(offset - self._believed) <= JUMP_S or now >= self._doubt_until:
            self._believe(offset)
        self._was_kept = kept
        self.synced = kept and self._doubt_until < 0 and self._wall() >= FIRST_PLAUSIBLE
        return self.synced

    def boot(self) -> tuple[str, float]:
        """Name this boot of the machine (empty: not known) and the seconds since it, sleep included."""
        return self._boot, self._steady()

    def _jumped(self, seconds: float, now: float) -> None:
        self.jumps += 1
        log.warning("the wall clock jumped by %+.1f s", seconds)
        if self.synced or self._doubt_until >= 0:
            self._doubt_until = now + DOUBT_S
            self.faults["clock_jumped"] = (
                f"the wall clock jumped by {seconds:+.0f} s although it was synchronised: times are not to be believed"
                " until it is synchronised again."
            )

    def _believe(self, offset: float) -> None:
        self._believed, self._doubt_until = offset, -1.0
        self.faults.clear()


class _Timex(ctypes.Structure):
    """`struct timex` of the C library: only `modes` and `status` are used; the rest is room for it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def _adjtimex_status() -> int | None:
    """Status bits of adjtimex; None where it may not be called."""
    try:
        adjtimex = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None
    buffer = _Timex()
    return None if adjtimex(ctypes.byref(buffer)) < 0 else int(buffer.status)
