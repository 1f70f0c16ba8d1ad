import pytest

from leakear.edge.errors import InputDataError
from leakear.edge.spectrogram import SpectrogramSpec
from leakear.train import networks
from leakear.train.networks.reference import reference


def test_the_reference_equals_the_notebooks_network() -> None:
    model = reference((2049, 431))
    assert model.count_params() == 216_492_801
    assert [layer.__class__.__name__ for layer in model.layers] == [
        *("Conv2D", "MaxPooling2D") * 3, "Flatten", "Dense", "Dropout", "Dense",
    ]  # fmt: skip
    convolutions = [layer for layer in model.layers if layer.__class__.__name__ == "Conv2D"]
    assert [layer.filters for layer in convolutions] == [32, 64, 128]
    assert {(layer.kernel_size, layer.padding, layer.activation.__name__) for layer in convolutions} == {
        ((3, 3), "valid", "relu")
    }
    hidden, dropout, output = model.layers[-3:]
    assert (hidden.units, hidden.activation.__name__, dropout.rate) == (128, "relu", 0.5)
    assert output.activation.__name__ == "linear", "the sigmoid belongs outside: int8 has steps of 1/256"


def test_the_reference_can_have_the_notebooks_sigmoid() -> None:
    assert reference((60, 60), output="sigmoid").layers[-1].activation.__name__ == "sigmoid"


def test_the_reference_preset_has_the_notebooks_settings() -> None:
    preset = networks.find("reference")
    assert preset.spec == SpectrogramSpec("max", 22050, 10.0, 4096, 512, -80.0)
    assert (preset.epochs, preset.batch_size, preset.copies, preset.patience) == (75, 32, 4, 0)
    assert preset.augmentations == ("noise", "stretch", "pitch", "roll")


def test_every_preset_builds_a_network_with_one_logit() -> None:
    for name, preset in networks.PRESETS.items():
        if name == "reference":
            continue
        model = preset.network()
        assert model.output_shape == (None, 1)
        assert model.input_shape == (None, *preset.spec.shape, 1)
        assert getattr(model.layers[-1], "activation", None) is None or model.layers[-1].activation.__name__ == "linear"


def test_the_error_for_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(InputDataError, match="choose from reference, compact"):
        networks.find("huge")
