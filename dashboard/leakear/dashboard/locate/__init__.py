"""Where on a pipe a leak is, from simultaneous recordings at two sensors: pure functions over arrays.

Sign convention, stated in `Pipe.delay` and used everywhere: a delay is how much later a sound reaches B than A, so it
is positive when the source is nearer to A, and the distance from A is (length − speed · delay) / 2.

numpy and scipy are loaded when a name that needs them is used: the server of the dashboard checks a pipe without them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leakear.dashboard.locate.locating import Location, locate
    from leakear.dashboard.locate.pipes import MATERIALS, Pipe, Speed, pipe
    from leakear.dashboard.locate.posterior import Estimate
    from leakear.dashboard.locate.spectra import Clock, Recording

__all__ = ["MATERIALS", "Clock", "Estimate", "Location", "Pipe", "Recording", "Speed", "locate", "pipe"]
_PLACES = {
    "Clock": "spectra", "Recording": "spectra", "Estimate": "posterior", "Location": "locating", "locate": "locating",
    "MATERIALS": "pipes", "Pipe": "pipes", "Speed": "pipes", "pipe": "pipes",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"{__name__} has no {name}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
