"""The table of presets: which networks can be trained, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from leakear.edge.errors import InputDataError
from leakear.train.networks import compact, reference
from leakear.train.networks.preset import Preset

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {preset.name: preset for preset in (reference.PRESET, *compact.PRESETS)}
)


def find(name: str) -> Preset:
    """Return the preset of this name; InputDataError lists the names there are."""
    if name not in PRESETS:
        raise InputDataError(f"no preset is called {name}: choose from {', '.join(PRESETS)}")
    return PRESETS[name]
