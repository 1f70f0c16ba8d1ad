from pathlib import Path

import numpy as np
import pytest

from leakear.convert.convert import Options, convert, refuse
from leakear.convert.quantising.flatbuffer import arena_bytes, logit_scale, operators
from leakear.convert.quantising.quantise import MODES, quantise
from leakear.convert.source import Source, float_logits, load
from leakear.convert.verifying import runtimes
from leakear.convert.verifying.legacy import too_new
from leakear.edge.errors import ModelError
from tests.support.small_network import network, spectra


@pytest.fixture(scope="module")
def source(run_folder: Path) -> Source:
    return load(run_folder)


@pytest.fixture(scope="module")
def flatbuffers(source: Source) -> dict[str, bytes]:
    """The same network in every mode."""
    codes, _ = spectra(1, 30)
    return {mode: quantise(source.network, mode, codes) for mode in MODES}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_agrees_with_the_float_network_on_every_runtime(
    source: Source, flatbuffers: dict[str, bytes], runtime: runtimes.Runtime, mode: str
) -> None:
    codes, labels = spectra(9, 20)
    outcome = runtimes.score(runtime, flatbuffers[mode], codes, repeats=3)
    logits, floating = runtimes.require(outcome), float_logits(source.network, codes)
    assert np.abs(logits - floating).max() < 0.08 * np.ptp(floating)
    assert (logits[labels == 1].min() > logits[labels == 0].max()) == (
        floating[labels == 1].min() > floating[labels == 0].max()
    )
    assert outcome.milliseconds is not None
    assert outcome.milliseconds > 0
    assert 20 < outcome.resident_mb < 400


def test_each_mode_has_its_number_types(flatbuffers: dict[str, bytes]) -> None:
    wide, codes = network(units=128), spectra(1, 30)[0]
    size = {mode: len(quantise(wide, mode, codes)) for mode in ("int8", "float16", "float32")}
    assert size["int8"] < 0.4 * size["float32"]
    assert size["float16"] < 0.65 * size["float32"]
    steps = {mode: scale.steps for mode in MODES if (scale := logit_scale(flatbuffers[mode]))}
    assert steps == {"int8": 256, "int8-io": 256, "int16x8": 65536}


def test_only_int8_io_has_integer_input_and_output(flatbuffers: dict[str, bytes]) -> None:
    names = {mode: {item["name"] for item in operators(flatbuffers[mode])} for mode in ("int8", "int8-io")}
    assert {"QUANTIZE", "DEQUANTIZE"} <= names["int8"]
    assert not {"QUANTIZE", "DEQUANTIZE"} & names["int8-io"]


def test_a_fixed_batch_leaves_no_shape_arithmetic(flatbuffers: dict[str, bytes]) -> None:
    assert not {"SHAPE", "STRIDED_SLICE", "PACK"} & {item["name"] for item in operators(flatbuffers["int8"])}


def test_the_same_inputs_give_the_same_flatbuffer(source: Source, flatbuffers: dict[str, bytes]) -> None:
    codes, _ = spectra(1, 30)
    assert quantise(source.network, "int8", codes) == flatbuffers["int8"]


def test_activations_are_counted(source: Source, flatbuffers: dict[str, bytes]) -> None:
    rows, frames = source.info.spectrogram.shape
    assert 4 * rows * frames <= arena_bytes(flatbuffers["float32"]) < 8 * rows * frames


def test_a_dynamic_model_that_214_cannot_load_is_refused(source: Source, legacy_runtime: runtimes.Runtime) -> None:
    """Large dense layers per channel, TensorFlow's own default: FULLY_CONNECTED of a version that 2.14 lacks."""
    wide = Source(network(units=128), source.info, source.calibration, source.heldout)
    made = convert(wide, Options(mode="dynamic", windows=20, per_channel_dense=True))
    assert [item.split(" version")[0] for item in too_new(made.info["flatbuffer"]["ops"])] == ["FULLY_CONNECTED"]
    assert "FULLY_CONNECTED" in next(o.error for o in made.outcomes if o.runtime.role == "legacy")
    with pytest.raises(ModelError, match=r"2\.14 cannot load FULLY_CONNECTED version 12 .*try --mode int8"):
        refuse(made)
    refuse(made, legacy=False)
    refuse(convert(wide, Options(mode="dynamic", windows=20)))


def test_a_dense_layer_of_one_output_loads_in_214(legacy_runtime: runtimes.Runtime) -> None:
    """TensorFlow calls its one scale "per channel", a version that 2.14 lacks; the layer itself 2.14 knows."""
    import keras

    codes, _ = spectra(1, 3)
    inputs = keras.Input((*codes.shape[1:], 1))
    flat = keras.layers.Flatten()(keras.layers.AveragePooling2D((4, 4))(inputs))
    built = keras.Model(inputs, keras.layers.Dense(1)(flat))
    logits = runtimes.require(runtimes.score(legacy_runtime, quantise(built, "dynamic"), codes))
    assert np.abs(logits - float_logits(built, codes)).max() < 0.05


def test_the_table_of_214_equals_the_real_runtimes(
    flatbuffers: dict[str, bytes], legacy_runtime: runtimes.Runtime
) -> None:
    """What the table allows loads, what it forbids does not: asked at the very border."""
    codes, _ = spectra(1, 1)
    wide = quantise(network(units=128), "dynamic", per_channel_dense=True)
    assert too_new(operators(wide))
    assert "FULLY_CONNECTED" in runtimes.score(legacy_runtime, wide, codes).error
    assert not too_new(operators(flatbuffers["dynamic"]))
    assert not runtimes.score(legacy_runtime, flatbuffers["dynamic"], codes).error


def test_an_operator_without_tflite_version_gives_one_sentence() -> None:
    import keras
    import tensorflow as tf

    inputs = keras.Input((16, 8, 1))
    odd = keras.layers.Lambda(lambda x: tf.linalg.slogdet(x[:, :8, :, 0])[1][:, None], output_shape=(1,))(inputs)
    with pytest.raises(ModelError, match="TFLite cannot express this network in float32"):
        quantise(keras.Model(inputs, odd), "float32")


def test_a_crashed_runtime_becomes_an_error(tmp_path: Path, flatbuffers: dict[str, bytes]) -> None:
    """A crash of the runtime's process must not take the converter along."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nkill -SEGV $$\n")
    python.chmod(0o755)
    codes, _ = spectra(1, 1)
    outcome = runtimes.score(runtimes.Runtime("tflite-runtime", "legacy", python), flatbuffers["int8"], codes)
    assert "ended with status -11" in outcome.error
    with pytest.raises(ModelError, match="does not run the model"):
        runtimes.require(outcome)


def test_a_missing_runtime_says_how_to_install_it(tmp_path: Path, flatbuffers: dict[str, bytes]) -> None:
    missing = runtimes.known({"LEAKEAR_LEGACY_PYTHON": str(tmp_path / "none")})[2]
    outcome = runtimes.score(missing, flatbuffers["int8"], spectra(1, 1)[0])
    assert "LEAKEAR_LEGACY_PYTHON" in outcome.error
