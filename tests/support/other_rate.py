"""The factory model, described as one that listens at twice its rate."""

from pathlib import Path

from leakear.edge.model import bundle
from leakear.edge.model.tflite import FACTORY

RATE = 44100


def write(file: Path) -> Path:
    """Write it; its spectrogram has the same shape, so that the node takes it."""
    loaded = bundle.read(FACTORY)
    spectrogram = loaded.info.raw["spectrogram"] | {"sample_rate": RATE, "n_fft": 8192, "hop_length": 1024}
    described = loaded.info.raw | {"spectrogram": spectrogram}
    file.write_bytes(bundle.assemble(loaded.flatbuffer, described, loaded.golden_inputs, loaded.golden_logits))
    return file
