"""Networks small enough for a node: at most 1/500 of the reference network's operations, and 150 KiB.

`strided` keeps frequency and averages time last. `pooled` pools time first. `statistics` adds two logits: that of a
statistic (a leak is steady, and it is loud at high frequencies) and that of a convolutional branch.
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
EDGES_HZ = tuple(float(hz) for hz in range(100, 1000, 100))
"""Frequencies that divide low from high sound, Hz: traffic and pumps lie below, friction noise above (trade manuals:
0.3 to 3 kHz). The balance is averaged over all of them, so that no single one had to be chosen."""
BALANCE_DB = 30.0
"""The balance is limited to ± this, dB."""
BALANCE_ROWS = 8
"""Rows (43 Hz) averaged into one band for the balance."""
UNSTEADY, HIGH, OFFSET = 3.0, 0.12, 1.5
"""Before training the logit is OFFSET, less UNSTEADY for each dB of mean deviation, plus HIGH for each dB of balance:
both cues count about equally on recordings (their standard deviations there: 0.5 dB, 12 dB)."""
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

    The prior is high for a steady sound (`_unsteadiness`) that is loud at high frequencies (`_balance`). The branch
    starts at zero, so the untrained network equals the statistic. Time is first averaged over one transform's length.
    Minima are computed as −max(−x): int8 runtimes have no minimum over time.
    """
    import keras
    from keras import layers

    inputs = keras.Input((*shape, 1))
    pooled_frames = layers.Conv2D(1, (1, STEP), strides=(1, STEP), name=POOLING_LAYER, **_mean(STEP))(inputs)
    levels = layers.Conv2D(1, (BAND_ROWS, 1), strides=(STEP, 1), name="level", **_mean(BAND_ROWS))(pooled_frames)
    levels = layers.AveragePooling2D((3, 2), strides=1, name="smooth")(levels)
    quietest = layers.MaxPooling2D((1, levels.shape[2]), name="quietest")(_flipped(levels, "flip"))
    unsteady = layers.Flatten()(_unsteadiness(pooled_frames))
    prior = layers.Dense(1, name="prior")(layers.Concatenate()([unsteady, _balance(pooled_frames)]))
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

    1 is DEVIATION_DB / 6. The spectrogram's reference puts the mean level at a known value, so one dense layer gives
    the deviation of each pooled frame, in steps that int8 resolves.
    """
    from keras import layers

    rows = pooled_frames.shape[1]
    scale = -SPEC.floor / DEVIATION_DB * 6
    layer = layers.Dense(2, activation="relu6", trainable=False, name="deviation")
    frames = layers.Reshape((-1, rows))(layers.Permute((2, 1, 3))(pooled_frames))
    deviation = layers.Reshape((1, -1, 2))(layer(frames))
    layer.set_weights([np.full((rows, 2), scale / rows) * [1, -1], np.array([-1, 1]) * scale * MEAN_LEVEL])
    return _over_time(deviation, "Average")


def _balance(pooled_frames: Any) -> Any:
    """Return the level of the loudest band above an edge less that of the loudest below, mean over EDGES_HZ, (n, 1).

    Bands are averaged over time. 0 to 6 is −BALANCE_DB to BALANCE_DB.
    """
    from keras import layers

    rows = pooled_frames.shape[1]
    options = {"strides": (BALANCE_ROWS, 1), "name": "narrow_bands", **_mean(BALANCE_ROWS)}
    bands = _over_time(layers.Conv2D(1, (BALANCE_ROWS, 1), **options)(pooled_frames), "Average")
    count = bands.shape[1]
    edges = [_first_band(hz, rows, count) for hz in EDGES_HZ]
    high = [_loudest(layers.Cropping2D(((edge, 0), (0, 0)))(bands)) for edge in edges]
    low = [_loudest(layers.Cropping2D(((0, count - edge), (0, 0)))(bands)) for edge in edges]
    layer = layers.Dense(1, activation="relu6", trainable=False, name="balance")
    balance = layer(layers.Flatten()(layers.Concatenate()([*high, *low])))
    scale = 3 * -SPEC.floor / BALANCE_DB / len(edges)
    layer.set_weights([np.repeat([scale, -scale], len(edges))[:, None], np.array([3.0])])
    return balance


def _loudest(bands: Any) -> Any:
    from keras import layers

    return layers.MaxPooling2D((bands.shape[1], 1))(bands)


def _first_band(hz: float, rows: int, bands: int) -> int:
    """Return the number of the lowest band whose middle is above a frequency, at least 1.

    Where the rows cannot be those of SPEC, an edge in the middle.
    """
    if rows != SPEC.rows:
        return bands // 2
    middle = SPEC.frequencies[: bands * BALANCE_ROWS].reshape(bands, -1).mean(axis=1)
    return max(1, int(np.searchsorted(middle, hz)))


def _prior() -> list[Any]:
    """Return kernel and bias of the untrained logit from two deviations and the balance."""
    deviation, balance = -UNSTEADY * DEVIATION_DB / 6, HIGH * BALANCE_DB / 3
    return [np.array([[deviation], [deviation], [balance]]), np.array([OFFSET - HIGH * BALANCE_DB])]


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
        "for nodes: steadiness and balance beside convolutions, whatever the gain, under 50 KiB",
        statistics,
    ),
    _preset("strided", "strided stem, depthwise-separable blocks, frequency kept, time averaged last", strided),
    _preset("pooled", "time pooled first, then convolutions along frequency", pooled),
)
