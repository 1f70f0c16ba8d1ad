"""Score: turns a spectrogram into P(leak). Only this module uses a TFLite runtime and knows about quantisation."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leakear.edge.errors import ConfigError, ModelError
from leakear.edge.model import bundle
from leakear.edge.model.bundle import Bundle, BundleInfo
from leakear.edge.options import option
from leakear.edge.options import path as path_of
from leakear.edge.spec import Decibels
from leakear.edge.stderr_filter import without_lines

RUNTIMES = ("ai-edge-litert", "tflite-runtime")
FACTORY = Path(__file__).parent / "factory.tflite"


@dataclass(frozen=True)
class ModelOptions:
    """[model]: which network scores."""

    path: str = option("", "model file made by leakear-convert; empty: the factory model")
    runtime: str = option("auto", "TFLite runtime; auto takes the first one installed", choices=("auto", *RUNTIMES))
    threads: int = option(1, "threads of the runtime; one is best on a small Pi", minimum=1, maximum=16)
    public_key: str = option(
        "", "PEM file of an Ed25519 public key; set: only models signed with it, and the factory model, are accepted"
    )
    trial_h: float = option(
        24.0, "h that a new model is scored beside the old one before it decides", minimum=0.01, maximum=336
    )
    watch_h: float = option(
        168.0, "h after that in which the old one is still compared, and comes back when the new one fails",
        minimum=0.01, maximum=1440,
    )  # fmt: skip

    @property
    def file(self) -> Path:
        """The model file to load."""
        return path_of(self.path) if self.path else FACTORY


def _interpreter_class(runtime: str) -> Any:
    """Import the runtime asked for. Raises ConfigError when it is not installed."""
    for name in RUNTIMES if runtime == "auto" else (runtime,):
        try:
            if name == "ai-edge-litert":
                from ai_edge_litert.interpreter import Interpreter
            else:
                from tflite_runtime.interpreter import Interpreter
        except ImportError:
            continue
        return Interpreter
    wanted = "ai-edge-litert" if runtime == "auto" else runtime
    raise ConfigError(f"[model] runtime {runtime}: not installed here; run: pip install {wanted}")


class Model:
    """A loaded network.

    Use `Model.load`; one instance serves one thread.
    """

    def __init__(self, loaded: Bundle, interpreter: Any) -> None:
        self._bundle = loaded
        self._interpreter = interpreter
        self._input = interpreter.get_input_details()[0]
        self._output = interpreter.get_output_details()[0]

    @classmethod
    def load(
        cls, path: str | Path, runtime: str = "auto", threads: int = 1, public_key: str | Path | None = None
    ) -> "Model":
        """Load a model file and check that it gives the same results here as at its converter.

        Raises ModelError (damaged, not by leakear, not signed with the key, other results), ConfigError (no runtime).
        """
        data = bundle.read_bytes(path)
        if public_key:
            from leakear.edge.model import signature

            sealed = signature.check_seal(data, public_key, str(path), needed=False)
        loaded = bundle.parse(data, str(path))
        if public_key and not sealed:  # a file of version 0.1
            signature.check(loaded, public_key, str(path))
        model = cls(loaded, _open(loaded, runtime, threads, str(path)))
        model._check_shape(str(path))
        model._check_golden(str(path))
        return model

    @classmethod
    def configured(cls, options: ModelOptions) -> "Model":
        """Load the model that [model] names. Raises ModelError or ConfigError, as `load`.

        With a key set all models must be signed but the factory model, which came with this software.
        """
        key = options.public_key if options.file != FACTORY else ""
        return cls.load(options.file, options.runtime, options.threads, key or None)

    @property
    def info(self) -> BundleInfo:
        """Description in the file."""
        return self._bundle.info

    @property
    def bundle(self) -> Bundle:
        """The file in memory."""
        return self._bundle

    @property
    def interpreter(self) -> Any:
        """The runtime's own object, for measurements."""
        return self._interpreter

    def logit(self, spectrogram: Decibels) -> float:
        """Return the network's output for a spectrogram of the model's own spec, shape (rows, frames), dB.

        Raises ValueError for another shape.
        """
        spec = self.info.spec
        if spectrogram.shape != spec.shape:
            raise ValueError(f"the model wants a spectrogram of shape {spec.shape}, not {spectrogram.shape}")
        return self._invoke(spectrogram, spec.floor, -1 / spec.floor)

    def score(self, spectrogram: Decibels) -> float:
        """Return P(leak) of one window, 0 to 1; NaN where the network gave no number, an infinite one included."""
        logit = self.logit(spectrogram)
        return sigmoid(logit / self.info.temperature) if math.isfinite(logit) else math.nan

    def golden_logits(self) -> list[float]:
        """Run the golden inputs; return one logit each."""
        return [self._invoke(codes.astype(np.float32), 0.0, 1 / 255) for codes in self._bundle.golden_inputs]

    def _invoke(self, values: "np.ndarray[Any, np.dtype[np.float32]]", low: float, factor: float) -> float:
        """Run the network on (values − low) · factor, within 0 to 1, shape (rows, frames)."""
        _write(self._interpreter.tensor(self._input["index"])()[0, ..., 0], values, low, factor, self._input)
        self._interpreter.invoke()
        raw = self._interpreter.get_tensor(self._output["index"]).reshape(-1)
        scale, zero = self._output["quantization"]
        return float((raw[0].astype(np.float64) - zero) * scale) if scale else float(raw[0])

    def _check_shape(self, name: str) -> None:
        wanted, found = (1, *self.info.spec.shape, 1), tuple(int(n) for n in self._input["shape"])
        if found != wanted or int(np.prod(self._output["shape"])) != 1:
            raise ModelError(f"{name}: the network takes {found}, its description says {wanted} and one logit")

    def _check_golden(self, name: str) -> None:
        """Compare with the converter's results: a wrong kernel or swapped labels would invert alerts."""
        for got, expected in zip(self.golden_logits(), self._bundle.golden_logits, strict=True):
            if not abs(got - float(expected)) <= self.info.golden_tolerance:
                raise ModelError(
                    f"{name}: the golden vector gives another result (logit {got:.3f}, not {float(expected):.3f}); "
                    "the file or the runtime is not the one that was verified"
                )


def _open(loaded: Bundle, runtime: str, threads: int, name: str) -> Any:
    interpreter_class = _interpreter_class(runtime)
    try:
        with without_lines(b"INFO: "):
            interpreter = interpreter_class(model_content=loaded.flatbuffer, num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError, ImportError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"{name}: the runtime cannot load the network ({reason}); convert it again") from None
    return interpreter


def _write(
    target: "np.ndarray[Any, Any]",
    values: "np.ndarray[Any, np.dtype[np.float32]]",
    low: float,
    factor: float,
    tensor: dict[str, Any],
) -> None:
    """Write (values − low) · factor into the runtime's own memory, in the input tensor's type."""
    if tensor["dtype"] == np.float32:
        np.subtract(values, np.float32(low), out=target)
        np.multiply(target, np.float32(factor), out=target)
        return
    scale, zero = tensor["quantization"]
    codes = (values - np.float32(low)) * np.float32(factor / scale)
    np.rint(codes, out=codes)
    codes += np.float32(zero)
    limits = np.iinfo(tensor["dtype"])
    np.clip(codes, limits.min, limits.max, out=target, casting="unsafe")


def sigmoid(logit: float) -> float:
    """Return 1 / (1 + e^-x), without overflow for any finite x."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    odds = math.exp(logit)
    return odds / (1 + odds)
