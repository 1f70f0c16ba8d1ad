"""Networks small enough for a node: DESIGN.md's budgets are 1/500 of the reference's operations and 150 KiB."""

from typing import Any

from leakear.edge.spectrogram import SpectrogramSpec
from leakear.train.networks import Preset

LOGGER_BAND_HZ = (40.0, 2000.0)
"""What a 4096 Hz noise logger hears, without its DC offset."""


def strided(shape: tuple[int, int]) -> Any:
    """Build a strided stem, three depthwise-separable blocks, then the mean over time with frequency kept.

    BatchNorm at momentum 0.9: at 0.99 and 25 steps an epoch validation stays at chance.
    """
    import keras
    from keras import layers

    inputs = keras.Input((*shape, 1))
    x = layers.Conv2D(12, (4, 8), strides=(2, 8), padding="same", use_bias=False)(inputs)
    for filters, strides in ((24, (2, 2)), (32, (2, 2)), (48, (2, 2))):
        x = layers.ReLU(6)(layers.BatchNormalization(momentum=0.9, synchronized=True)(x))
        x = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x)
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
    x = layers.ReLU(6)(layers.BatchNormalization(momentum=0.9, synchronized=True)(x))
    x = layers.AveragePooling2D((1, x.shape[2]))(x)
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(1)(x), name="strided")


PRESETS = (
    Preset(
        name="compact",
        help="for nodes: full-scale levels, band-limited, under 150 KiB as int8",
        spec=SpectrogramSpec("full-scale", band_hz=LOGGER_BAND_HZ),
        build=strided,
        augmentations=("shift+mix", "stretch+mix", "pitch+gain", "shift+gain+tilt", "shift+mix+tilt"),
        epochs=40,
        batch_size=16,
        cosine=True,
        mixup=0.2,
        balance=True,
    ),
)
