"""Pace: does a device deliver as many samples as it says? One that loses some and says nothing delivers no sound.

Its windows would come too seldom for any rule, made of stretches that were never next to each other; a device that
runs at another rate than it was opened at shifts every frequency. Quartz is right within 0.02 %, so two minutes in a
row that are off by 2 % the same way are no accident; the burst of a starting sound server or one pause of the machine
is one.
"""

MEASURE_S = 60.0
"""Seconds of one measurement."""
TOLERANCE = 0.02
"""Share by which samples may leave the clock."""


class Pace:
    """Counts one stream against the monotonic clock."""

    def __init__(self, rate: int, *, trusted: bool = True) -> None:
        self.trusted = trusted
        """whether the stream is believed; one minute of the right pace restores it"""
        self._rate = rate
        self._began: float | None = None
        self._samples = 0
        self._off = 0.0  # of the minute before, less 1

    def hear(self, samples: int, monotonic: float) -> float | None:
        """Count a delivery whose last sample was heard at `monotonic` seconds.

        Returns at the end of each minute how much of what the rate promises it held (1: all).
        """
        if self._began is None:  # how long the first delivery was under way is not known
            self._began = monotonic
            return None
        self._samples += samples
        passed = monotonic - self._began
        if passed < MEASURE_S:
            return None
        share = self._samples / self._rate / passed
        self._began, self._samples = monotonic, 0
        self._judge(share - 1)
        return share

    def restart(self) -> None:
        """Begin anew behind a gap that is known."""
        self._began, self._samples, self._off = None, 0, 0.0

    def _judge(self, off: float) -> None:
        before, self._off = self._off, off
        if abs(off) <= TOLERANCE:
            self.trusted = True
        elif abs(before) > TOLERANCE and off * before > 0:
            self.trusted = False
