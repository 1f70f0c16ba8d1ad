"""Pairs of simultaneous recordings at two ends of one pipe, with their truth. Shares no code with the correlator.

`Case.draw` chooses everything a seed decides, `render` makes the samples.
"""

from leakear.train.simulator.pairs.case import KINDS, Case, Clock, Kind
from leakear.train.simulator.pairs.material import MATERIALS, Wall
from leakear.train.simulator.pairs.render import render

__all__ = ["KINDS", "MATERIALS", "Case", "Clock", "Kind", "Wall", "render"]
