"""The networks that can be trained: `PRESETS` by name, `find(name)` for one of them."""

from leakear.train.networks.preset import Preset
from leakear.train.networks.presets import PRESETS, find

__all__ = ["PRESETS", "Preset", "find"]
