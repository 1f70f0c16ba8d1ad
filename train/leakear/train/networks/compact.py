"""Networks small enough for a node: at most 1/500 of the reference network's operations, and 150 KiB.

`strided` keeps frequency and averages time last. `pooled` pools time first. `statistics` adds two logits: that of a
statistic (a leak is steady, and much of its power lies at high frequencies) and that of a convolutional branch.
"""

from typing import Any

import numpy as np

from leakear.edge.spec import OWN_HEADROOM_DB, SpectrogramSpec
from leakear.train.networks.preset import Preset

LOGGER_BAND_HZ = (20.0, 1800.0)
"""Pass band of a 4096 Hz noise logger, without its DC offset and its anti-aliasing filter, Hz."""
SPEC = SpectrogramSpec("own", band_hz=LOGGER_BAND_HZ)
"""The window's own mean level is the reference: a sensor's gain is unknown and changes nothing."""
DEVIATION_DB = 3.0
"""A pooled frame's deviation from the window's mean level is limited to this, dB."""
CENTROID_HZ = (100.0, 900.0)
"""The spectral centroid is limited to this range, Hz."""
UNSTEADY, HIGH, OFFSET = 3.0, 5.0, -0.7
"""Before training the logit is OFFSET, less UNSTEADY for each dB of mean deviation, plus HIGH for each kHz of centroid:
both cues count about equally on recordings (their standard deviations there: 0.5 dB, 0.28 kHz)."""
CENTROID_ROWS = 8
"""Rows (43 Hz) averaged into one band for the centroid."""
BAND_ROWS, STEP = 16, 8
"""A band is 16 rows (86 Hz), one every 8 rows. A pooled frame is the mean of 8 frames, one transform long (0.19 s)."""
MEAN_LEVEL = 1 - OWN_HEADROOM_DB / -SPEC.floor
"""The window's mean level as the network's input has it, 0 to 1."""
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

    The prior is high for a steady sound (`_unsteadiness`) with much of its power at high frequencies (`_centroid`):
    traffic and pumps lie below, friction noise of a leak above (trade manuals: 0.3 to 3 kHz). The branch starts at
    zero, so the untrained network equals the statistic. Time is first averaged over one transform's length. Minima are
    computed as −max(−x): int8 runtimes have no minimum over time.
    """
    import keras
    from keras import layers

    inputs = keras.Input((*shape, 1))
    pooled_frames = layers.Conv2D(1, (1, STEP), strides=(1, STEP), name=POOLING_LAYER, **_mean(STEP))(inputs)
    levels = layers.Conv2D(1, (BAND_ROWS, 1), strides=(STEP, 1), name="level", **_mean(BAND_ROWS))(pooled_frames)
    levels = layers.AveragePooling2D((3, 2), strides=1, name="smooth")(levels)
    quietest = layers.MaxPooling2D((1, levels.shape[2]), name="quietest")(_flipped(levels, "flip"))
    unsteady = layers.Flatten()(_unsteadiness(pooled_frames))
    prior = layers.Dense(1, name="prior")(layers.Concatenate()([unsteady, _centroid(pooled_frames)]))
    branch = _branch(pooled_frames, levels, quietest, unsteady)
    model = keras.Model(inputs, layers.Add(name="logit")([prior, branch]), name="statistics")
    model.get_layer("prior").set_weights(_prior())
    return model


def _mean(count: int) -> dict[str, Any]:
    """Return the options of a convolution that only averages."""
    import keras

    return {"kernel_initializer": keras.initializers.Constant(1 / count), "use_bias": False, "trainable": False}


def _unsteadiness(pooled_frames: Any) -> Any:
    """Return the mean deviation over time, above and below the window's mean level, shape (n, 1, 1, 2).

    1 is DEVIATION_DB / 6. The spectrogram's reference puts the mean level at a known value, so one convolution gives
    the deviation of each pooled frame, in steps that int8 resolves.
    """
    from keras import layers

    rows = pooled_frames.shape[1]
    scale = -SPEC.floor / DEVIATION_DB * 6
    layer = layers.Conv2D(2, (rows, 1), activation="relu6", trainable=False, name="deviation")
    deviation = layer(pooled_frames)
    kernel = np.full((rows, 1, 1, 2), scale / rows) * [1, -1]
    layer.set_weights([kernel, np.array([-1, 1]) * scale * MEAN_LEVEL])
    return _over_time(deviation, "Average")


def _centroid(pooled_frames: Any) -> Any:
    """Return the spectral centroid of the mean spectrum: 0 to 6 over CENTROID_HZ, shape (n, 1).

    The softmax of decibels, rightly scaled, is each band's share of the power.
    """
    import keras
    from keras import layers

    per_db = np.log(10) / 10
    scaled = keras.initializers.Constant(-SPEC.floor * per_db / CENTROID_ROWS)
    options = {"kernel_initializer": scaled, "use_bias": False, "trainable": False, "name": "scaled_bands"}
    bands = layers.Conv2D(1, (CENTROID_ROWS, 1), strides=(CENTROID_ROWS, 1), **options)(pooled_frames)
    shares = layers.Softmax(name="shares")(layers.Flatten()(_over_time(bands, "Average")))
    layer = layers.Dense(1, activation="relu6", trainable=False, name="centroid")
    centroid = layer(shares)
    hz = SPEC.frequencies[0] + (np.arange(shares.shape[1]) + 0.5) * CENTROID_ROWS * SPEC.sample_rate / SPEC.n_fft
    low, high = CENTROID_HZ
    layer.set_weights([hz[:, None] * 6 / (high - low), np.array([-low * 6 / (high - low)])])
    return centroid


def _prior() -> list[Any]:
    """Return kernel and bias of the untrained logit from two deviations and the centroid."""
    low, high = CENTROID_HZ
    deviation, centroid = -UNSTEADY * DEVIATION_DB / 6, HIGH * (high - low) / 6000
    return [np.array([[deviation], [deviation], [centroid]]), np.array([OFFSET + HIGH * low / 1000])]


def _flipped(x: Any, name: str) -> Any:
    import keras
    from keras import layers

    minus = keras.initializers.Constant(-1)
    return layers.DepthwiseConv2D(1, use_bias=False, depthwise_initializer=minus, trainable=False, name=name)(x)


def _branch(pooled_frames: Any, levels: Any, quietest: Any, unsteady: Any) -> Any:
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
    parts.append(unsteady)
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
    return Preset(name, description, SPEC, build, _AUGMENTATIONS, epochs=40, batch_size=16, patience=12)


PRESETS = (
    _preset(
        "compact",
        "for nodes: steadiness and centroid beside convolutions, whatever the gain, under 50 KiB",
        statistics,
    ),
    _preset("strided", "strided stem, depthwise-separable blocks, frequency kept, time averaged last", strided),
    _preset("pooled", "time pooled first, then convolutions along frequency", pooled),
)
