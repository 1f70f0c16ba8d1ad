"""The model file: a TFLite flatbuffer with a ZIP appended, so that a model and its description stay together.

Any TFLite runtime and Netron open it as a model, `zipfile` reads the rest (the TFLite metadata convention for
associated files). The ZIP holds `leakear.json` (schema in docs/schemas), the golden vector (inputs and the logits that
the converter saw) and, when signed, `leakear.sig`. A signed file ends with the signature of all its bytes.
"""

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from leakear.edge import files
from leakear.edge.errors import ModelError
from leakear.edge.model import archive
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.texts import content

SCHEMA = 1
INFO, INPUTS, LOGITS, SIGNATURE = "leakear.json", "golden/inputs.npy", "golden/logits.npy", "leakear.sig"
LIMITS = {INFO: 1 << 20, INPUTS: 32 << 20, LOGITS: 1 << 16, SIGNATURE: 64}
"""member → most bytes it may have; a file with another member, or a larger one, is refused"""
SEAL = b"leakear-ed25519:"
"""Begins the comment of the ZIP in a sealed file; the signature of all bytes before it ends the file."""
SEAL_BYTES = 64
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
MAX_NPY_HEADER = 4096
LARGEST = 256 << 20
"""Bytes of a model file."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class BundleInfo:
    """Contents of `leakear.json`."""

    model_id: str
    """names the model in every message"""
    spec: SpectrogramSpec
    threshold: float
    """P(leak) from which a window counts as sounding like a leak"""
    temperature: float
    """P(leak) = sigmoid(logit / temperature)"""
    flatbuffer_sha256: str
    golden_tolerance: float
    """largest difference of a logit between runtimes that is not an error"""
    decision: Mapping[str, Any] = field(default_factory=dict)
    """defaults of the decision rule; a site overrides them"""
    raw: Mapping[str, Any] = field(default_factory=dict)
    """the whole JSON: metrics, training data, licences, attribution"""


@dataclass(frozen=True)
class Bundle:
    """A model file in memory."""

    info: BundleInfo
    flatbuffer: bytes
    golden_inputs: NDArray[np.uint8]
    """shape (k, rows, frames); the network's input is code / 255"""
    golden_logits: NDArray[np.float32]
    """shape (k,)"""
    signature: bytes | None = None
    signed_bytes: bytes = b""
    """what a signature covers: the digests of flatbuffer, JSON and golden vector"""


def _parse(text: bytes, name: str) -> BundleInfo:
    """Read `leakear.json`. Raises ModelError that names what is wrong."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise ModelError(f"{name}: {INFO} is not JSON; convert the model again with leakear-convert") from None
    _check_schema(raw.get("schema") if isinstance(raw, dict) else None, name)
    try:
        info = BundleInfo(
            model_id=str(raw["model"]["id"]),
            spec=SpectrogramSpec.from_json(raw["spectrogram"]),
            threshold=float(raw["decision"]["threshold"]),
            temperature=float(raw["temperature"]),
            flatbuffer_sha256=str(raw["flatbuffer"]["sha256"]),
            golden_tolerance=float(raw["golden"]["tolerance"]),
            decision=dict(raw["decision"]),
            raw=raw,
        )
        kind, positive = raw["output"]["kind"], raw["positive"]
    except KeyError as error:
        raise ModelError(f"{name}: {INFO} lacks {error}; convert the model again with leakear-convert") from None
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ModelError(f"{name}: {INFO}: {error}; convert the model again with leakear-convert") from None
    if kind != "logit" or positive != "Leak" or raw.get("labels") != ["NoLeak", "Leak"]:
        raise ModelError(f'{name}: needs labels ["NoLeak", "Leak"], positive "Leak" and a logit output')
    if not (0 < info.threshold < 1 and 0 < info.temperature < math.inf and 0 < info.golden_tolerance < math.inf):
        raise ModelError(f"{name}: threshold must lie within 0 to 1, temperature and golden tolerance above 0")
    return info


def _check_schema(schema: Any, name: str) -> None:
    if schema == SCHEMA:
        return
    if isinstance(schema, int) and schema > SCHEMA:
        raise ModelError(
            f"{name}: bundle schema {schema}, this version reads up to {SCHEMA}; update leakear on this node"
        )
    raise ModelError(
        f"{name}: bundle schema {schema!r}, this version reads {SCHEMA}; "
        "convert its run folder again: leakear-convert RUN -o FILE.tflite"
    )


def _members(data: bytes, name: str) -> tuple[int, dict[str, bytes]]:
    """Return where the ZIP begins, and its members. Raises ModelError for a plain model or a damaged one."""
    start, members = archive.read(data, LIMITS, name)
    for member in (INFO, INPUTS, LOGITS):
        if member not in members:
            raise ModelError(f"{name}: {member} is missing; convert the model again with leakear-convert")
    return start, members


def _array(data: bytes, member: str, name: str) -> NDArray[Any]:
    """Read an array; its size is what the bytes hold, never what its header says alone."""
    buffer = io.BytesIO(data)
    try:
        read_header = HEADERS[npy.read_magic(buffer)]
        shape, fortran, dtype = read_header(buffer, max_header_size=MAX_NPY_HEADER)
        body = memoryview(data)[buffer.tell() :]
        whole = not fortran and not dtype.hasobject and math.prod(shape) * dtype.itemsize == len(body)
        array = np.frombuffer(body, dtype).reshape(shape) if whole else None
    except Exception:  # noqa: BLE001 (whatever numpy makes of foreign bytes)
        array = None
    if array is None:
        raise ModelError(f"{name}: {member} is damaged; copy the file again")
    return array


def digest(flatbuffer: bytes, info: bytes, inputs: bytes, logits: bytes) -> bytes:
    """Return what a signature covers: one line a part, with its name, so that parts cannot be exchanged."""
    parts = {"flatbuffer": flatbuffer, INFO: info, INPUTS: inputs, LOGITS: logits}
    return "".join(f"{part} {hashlib.sha256(data).hexdigest()}\n" for part, data in parts.items()).encode()


def parse(data: bytes, name: str) -> Bundle:
    """Read a bundle from its bytes; `name` is the file in error messages.

    Checks everything but the network's results (that is `Model.load`, with the golden vector). Raises
    ModelError whose sentence says what is wrong with the file.
    """
    if data[4:8] != b"TFL3":
        raise ModelError(f"{name} is not a TFLite model; make one with leakear-convert")
    start, texts = _members(data, name)
    info = _parse(texts[INFO], name)
    flatbuffer = data[:start]
    if hashlib.sha256(flatbuffer).hexdigest() != info.flatbuffer_sha256:
        raise ModelError(f"{name}: the network differs from its recorded hash; copy the file again")
    inputs, logits = _array(texts[INPUTS], INPUTS, name), _array(texts[LOGITS], LOGITS, name)
    fits = logits.ndim == 1 and len(logits) and inputs.shape == (len(logits), *info.spec.shape)
    if not fits or inputs.dtype != np.uint8 or not np.isfinite(logits.astype(np.float32)).all():
        raise ModelError(f"{name}: the golden vector does not fit the spectrogram {info.spec.shape}")
    covered = digest(flatbuffer, texts[INFO], texts[INPUTS], texts[LOGITS])
    return Bundle(info, flatbuffer, inputs, logits.astype(np.float32), texts.get(SIGNATURE), covered)


def read(path: str | Path) -> Bundle:
    """Read a bundle. Raises ModelError, also when the file cannot be opened."""
    return parse(read_bytes(path), str(path))


def read_bytes(path: str | Path) -> bytes:
    """Read a file that should be a bundle. Raises ModelError when it cannot be opened."""
    try:
        return content(path, LARGEST)
    except OSError as error:
        raise ModelError(f"model {path}: {error.strerror}; name a model file that leakear-convert made") from None


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def assemble(
    flatbuffer: bytes,
    info: Mapping[str, Any],
    golden_inputs: NDArray[np.uint8],
    golden_logits: NDArray[np.float32],
    signature: bytes | None = None,
) -> bytes:
    """Return the bytes of a model file; the same arguments give the same bytes.

    `info` is `leakear.json` without what is derived here: schema and the hash of the flatbuffer. `golden_inputs`:
    codes, shape (n, rows, frames); `golden_logits`: what the network gives for them, shape (n,).
    """
    recorded = {**info, "schema": SCHEMA}
    recorded["flatbuffer"] = {
        **recorded.get("flatbuffer", {}),
        "sha256": hashlib.sha256(flatbuffer).hexdigest(),
        "bytes": len(flatbuffer),
    }
    members = {
        INFO: (json.dumps(recorded, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode(),
        INPUTS: _npy(golden_inputs),
        LOGITS: _npy(np.asarray(golden_logits, np.float32)),
    }
    if signature is not None:
        members[SIGNATURE] = signature
    return _packed(flatbuffer, members)


def signed(data: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Return a model file with its signatures added or replaced; nothing else changes. `sign`: bytes → signature.

    The last bytes sign all before them, so that nothing has to be read before they are checked. The member
    `leakear.sig` signs the digests of the parts: nodes of version 0.1 know only that one.
    """
    start, members = _members(data, "the model")
    covered = digest(data[:start], members[INFO], members[INPUTS], members[LOGITS])
    packed = _packed(data[:start], {**members, SIGNATURE: sign(covered)})
    sealed = packed[:-2] + (len(SEAL) + SEAL_BYTES).to_bytes(2, "little") + SEAL
    return sealed + sign(sealed)


def seal(data: bytes) -> tuple[bytes, bytes] | None:
    """Return all bytes of a file that its seal signs, and the seal; None: it has none."""
    if data[-len(SEAL) - SEAL_BYTES : -SEAL_BYTES] != SEAL:
        return None
    return data[:-SEAL_BYTES], data[-SEAL_BYTES:]


def _packed(flatbuffer: bytes, members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    buffer.write(flatbuffer)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def write(path: str | Path, data: bytes) -> None:
    """Put a model file in place: whole or not at all."""
    files.write(path, data, mode=0o644)
