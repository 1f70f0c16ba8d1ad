"""Rate check: whether a device delivers as many samples a second as it says.

A device that loses samples without reporting it gives windows with hidden gaps; one that runs at another rate than it
was opened at shifts every frequency. A quartz clock is right within 0.02 %. Two minutes in a row that are wrong by 2 %
in the same direction are therefore a fault; the burst of a starting sound server, or one pause of the machine, is not.
"""

MEASURE_S = 60.0
"""Seconds of one measurement."""
TOLERANCE = 0.02
"""Share by which the number of samples may differ from what the clock says."""


class RateCheck:
    """Compares one stream with the monotonic clock."""

    def __init__(self, rate: int, *, trusted: bool = True) -> None:
        self.trusted = trusted
        """whether the stream is used; one minute at the right rate restores it"""
        self._rate = rate
        self._began: float | None = None
        self._samples = 0
        self._off = 0.0  # of the minute before, less 1

    def count(self, samples: int, monotonic: float) -> float | None:
        """Count a delivery whose last sample was heard at `monotonic` seconds.

        Returns at the end of each minute the samples that came over those the rate requires (1: all); else None.
        """
        if self._began is None:  # how long the first delivery took is not known
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
        """Start again after a known gap."""
        self._began, self._samples, self._off = None, 0, 0.0

    def _judge(self, off: float) -> None:
        before, self._off = self._off, off
        if abs(off) <= TOLERANCE:
            self.trusted = True
        elif abs(before) > TOLERANCE and off * before > 0:
            self.trusted = False
