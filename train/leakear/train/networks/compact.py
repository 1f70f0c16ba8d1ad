"""Networks small enough for a node: at most 1/500 of the reference network's operations, and 150 KiB.

`strided` keeps frequency and averages time last. `pooled` pools time first. `statistics` adds two logits: that of the
statistic which noise loggers use (the lowest level over time, here of the loudest band) and that of a convolutional
branch.
"""

from typing import Any

import numpy as np

from leakear.edge.spec import SpectrogramSpec
from leakear.train.networks.preset import Preset

LOGGER_BAND_HZ = (20.0, 1800.0)
"""Pass band of a 4096 Hz noise logger, without its DC offset and its anti-aliasing filter, Hz."""
LEVEL_SPEC = SpectrogramSpec("full-scale", band_hz=LOGGER_BAND_HZ)
"""Absolute level is kept: it is a noise logger's main feature."""
EDGES_HZ = (20.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0)
"""Lower limits of flow noise, Hz: traffic and pumps lie below, friction noise above (trade manuals: 0.3 to 3 kHz)."""
SLOPE, MIDDLE_DB, LOWEST_DB = 2.5, -50.0, -80.0
"""Before training: logit 0 at −50 dB, 2.5 more for each 10 dB; levels under −80 dB count as −80."""
BAND_ROWS, STEP = 16, 8
"""A band is 16 rows (86 Hz), one every 8 rows. A pooled frame is the mean of 8 frames, one transform long (0.19 s)."""
POOLING_LAYER = "moments"
"""Name of the layer that averages frames into pooled frames: all trainable layers come after it."""


def strided(shape: tuple[int, int]) -> Any:
    """Build a strided stem, three depthwise-separable blocks, then the mean over time with frequency kept."""
    import keras
    from keras import layers

    inputs = keras.Input((*shape, 1))
    x = layers.Conv2D(12, (4, 8), strides=(2, 8), padding="same", use_bias=False)(inputs)
    for filters, strides in ((24, (2, 2)), (32, (2, 2)), (48, (2, 2))):
        x = _separable(_activated(x), filters, strides)
    x = _activated(x)
    x = layers.AveragePooling2D((1, x.shape[2]))(x)
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(1)(x), name="strided")


def pooled(shape: tuple[int, int]) -> Any:
    """Build mean and maximum over time, then convolutions along frequency alone."""
    import keras
    from keras import layers

    inputs = keras.Input((*shape, 1))
    x = layers.AveragePooling2D((1, STEP))(inputs)
    x = layers.Concatenate()([layers.AveragePooling2D((1, x.shape[2]))(x), layers.MaxPooling2D((1, x.shape[2]))(x)])
    for filters in (16, 24, 32):
        x = _activated(layers.Conv2D(filters, (5, 1), strides=(2, 1), padding="same", use_bias=False)(x))
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(1)(x), name="pooled")


def statistics(shape: tuple[int, int]) -> Any:
    """Build the sum of two logits: a statistic that needs no training (`prior`) and a convolutional `branch`.

    The prior: mean level in dB of bands 172 Hz × 0.37 s, its minimum over time, its maximum over the bands from some
    edge up, averaged over EDGES_HZ so that no single edge had to be chosen. Averaging decibels gives a tone little
    weight and broadband flow much. Minima are computed as −max(−x): int8 runtimes have no minimum over time. The branch
    starts at zero, so the untrained network equals the statistic. Time is first averaged over one transform's length.
    """
    import keras
    from keras import layers

    inputs = keras.Input((*shape, 1))
    pooled_frames = layers.Conv2D(1, (1, STEP), strides=(1, STEP), name=POOLING_LAYER, **_mean(STEP))(inputs)
    levels = layers.Conv2D(1, (BAND_ROWS, 1), strides=(STEP, 1), name="level", **_mean(BAND_ROWS))(pooled_frames)
    levels = layers.AveragePooling2D((3, 2), strides=1, name="smooth")(levels)
    quietest = layers.MaxPooling2D((1, levels.shape[2]), name="quietest")(_flipped(levels, "flip"))
    prior = layers.Dense(1, name="prior")(_loudest(quietest))
    branch = _branch(pooled_frames, levels, quietest)
    model = keras.Model(inputs, layers.Add(name="logit")([prior, branch]), name="statistics")
    model.get_layer("prior").set_weights([np.full((1, 1), SLOPE), np.array([SLOPE * (LOWEST_DB - MIDDLE_DB) / 10])])
    return model


def _mean(count: int) -> dict[str, Any]:
    """Return the options of a convolution that only averages."""
    import keras

    return {"kernel_initializer": keras.initializers.Constant(1 / count), "use_bias": False, "trainable": False}


def _loudest(quietest: Any) -> Any:
    """Return the loudest band's level, averaged over EDGES_HZ: (dB − LOWEST_DB) / 10 within 0 to 6, shape (n, 1)."""
    from keras import layers

    bands = quietest.shape[1]
    levels = _flipped(quietest, "flip_back")
    edges = sorted({_first_band(hz, bands) for hz in EDGES_HZ})
    parts = [layers.Cropping2D(((first, 0), (0, 0)))(levels) for first in edges]
    tops = layers.Concatenate()([layers.MaxPooling2D((part.shape[1], 1))(part) for part in parts])
    mean = layers.Dense(1, trainable=False, name="mean_of_edges")
    level = layers.ReLU(6, name="loudest")(mean(layers.Flatten()(tops)))
    mean.set_weights(
        [np.full((len(edges), 1), -LEVEL_SPEC.floor / 10 / len(edges)), np.array([(LEVEL_SPEC.floor - LOWEST_DB) / 10])]
    )
    return level


def _first_band(hz: float, bands: int) -> int:
    """Return the number of the lowest band above a frequency; 0 where the rows cannot be those of LEVEL_SPEC."""
    lowest = LEVEL_SPEC.frequencies[::STEP][:bands]
    return int(np.searchsorted(lowest, hz)) if len(lowest) == bands else 0


def _flipped(x: Any, name: str) -> Any:
    import keras
    from keras import layers

    minus = keras.initializers.Constant(-1)
    return layers.DepthwiseConv2D(1, use_bias=False, depthwise_initializer=minus, trainable=False, name=name)(x)


def _branch(pooled_frames: Any, levels: Any, quietest: Any) -> Any:
    """Build the branch: coarse convolutions over frequency and time, fine ones over frequency, and dense layers."""
    from keras import layers

    x = layers.Conv2D(16, (BAND_ROWS, 3), strides=(STEP, 2), use_bias=False, name="stem")(pooled_frames)
    for filters in (24, 32):
        x = _separable(_activated(x), filters, (2, 2))
    x = _activated(x)
    coarse = layers.AveragePooling2D((1, x.shape[2]))(x)
    x = layers.Concatenate()([_over_time(pooled_frames, kind) for kind in ("Average", "Max")])
    for filters in (16, 24, 32):
        x = _activated(layers.Conv2D(filters, (7, 1), strides=(3, 1), padding="same", use_bias=False)(x))
    bands = layers.Concatenate()([quietest, _over_time(levels, "Average"), _over_time(levels, "Max")])
    parts = [_activated(layers.Dense(24, use_bias=False)(layers.Flatten()(part))) for part in (coarse, x, bands)]
    both = layers.Dense(16, activation="relu6")(layers.Dropout(0.2)(layers.Concatenate()(parts)))
    return layers.Dense(1, kernel_initializer="zeros", name="branch")(both)


def _over_time(x: Any, kind: str) -> Any:
    from keras import layers

    return getattr(layers, f"{kind}Pooling2D")((1, x.shape[2]))(x)


def _activated(x: Any) -> Any:
    """Normalise, then ReLU6. Momentum 0.9: with 0.99 and 25 steps an epoch, validation stays at chance level."""
    from keras import layers

    return layers.ReLU(6)(layers.BatchNormalization(momentum=0.9, synchronized=True)(x))


def _separable(x: Any, filters: int, strides: tuple[int, int]) -> Any:
    from keras import layers

    x = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x)
    return layers.Conv2D(filters, 1, use_bias=False)(x)


_AUGMENTATIONS = ("shift+mix", "stretch+mix", "pitch+gain", "shift+gain+tilt", "shift+mix+tilt")


def _preset(name: str, description: str, build: Any) -> Preset:
    return Preset(name, description, LEVEL_SPEC, build, _AUGMENTATIONS, epochs=40, batch_size=16, patience=12)


PRESETS = (
    _preset("compact", "for nodes: quietest level of the loudest band beside convolutions, under 50 KiB", statistics),
    _preset("strided", "strided stem, depthwise-separable blocks, frequency kept, time averaged last", strided),
    _preset("pooled", "time pooled first, then convolutions along frequency", pooled),
)
