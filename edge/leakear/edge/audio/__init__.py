"""Sample: microphones and recordings become blocks of mono float32 at the model's rate."""

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.audio.recordings import read_blocks, read_wav

__all__ = ["Block", "SensorFault", "read_blocks", "read_wav"]
