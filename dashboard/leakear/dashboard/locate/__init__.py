"""Where on a pipe a leak is, from simultaneous recordings at two sensors: pure functions over arrays.

Sign convention, stated in `Pipe.delay` and used everywhere: a delay is how much later a sound reaches B than A, so it
is positive when the source is nearer to A, and the distance from A is (length − speed · delay) / 2.
"""

from leakear.dashboard.locate.locating import Location, locate
from leakear.dashboard.locate.pipes import MATERIALS, Pipe, Speed, pipe
from leakear.dashboard.locate.posterior import Estimate
from leakear.dashboard.locate.spectra import Clock, Recording

__all__ = ["MATERIALS", "Clock", "Estimate", "Location", "Pipe", "Recording", "Speed", "locate", "pipe"]
