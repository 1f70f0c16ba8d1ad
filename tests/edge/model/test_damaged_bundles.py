"""Model files from the network: the signature comes first, nothing unpacks beyond its limit, one type of error."""

import bz2
import io
import lzma
import random
import resource
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from leakear.edge.errors import ModelError
from leakear.edge.model import bundle
from leakear.edge.model.tflite import Model, ModelOptions
from leakear.edge.remote.model_store import ModelStore
from tests.support.places import DATA, TINY

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PLAIN = TINY.read_bytes()
SIGNED = bundle.signed(PLAIN, KEY.sign)
FLATBUFFER = bundle.parse(PLAIN, "x").flatbuffer
MEMBERS = (bundle.INFO, bundle.INPUTS, bundle.LOGITS)
LIMIT_BYTES = 256 * 1024**2


@pytest.fixture
def public_key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    buffer.write(FLATBUFFER)
    with zipfile.ZipFile(buffer, "a", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def whole() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(PLAIN)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def lying(data: bytes, size: int) -> bytes:
    """The same file whose list says that the first member has `size` bytes."""
    changed = bytearray(data)
    for mark, at in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        place = changed.index(mark, len(FLATBUFFER)) + at
        changed[place : place + 4] = struct.pack("<I", size)
    return bytes(changed)


BOMBS: dict[str, Callable[[], bytes]] = {
    "much of nothing": lambda: zipped({bundle.INFO: bytes(60 * 1024**2)}),
    "inputs of 90 MiB": lambda: zipped(whole() | {bundle.INPUTS: bytes(90 * 1024**2)}),
    "a size that lies": lambda: lying(zipped({bundle.INFO: bytes(90 * 1024**2)} | {"a": b""}), 100),
    "an unknown member": lambda: zipped(whole() | {"more.bin": bytes(2000)}),
    "many members": lambda: zipped(whole() | {f"m{number}": b"" for number in range(20_000)}),
    "LZMA": lambda: zipped(whole(), zipfile.ZIP_LZMA),
    "BZIP2": lambda: zipped(whole(), zipfile.ZIP_BZIP2),
    "an array that says it is huge": lambda: zipped(whole() | {bundle.INPUTS: huge_array()}),
}


def huge_array() -> bytes:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 64, 431), }"
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(100)


@pytest.mark.parametrize("name", BOMBS)
def test_what_is_no_model_is_refused_by_name_and_costs_little(name: str) -> None:
    data = BOMBS[name]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=r"bomb\.tflite"):
        bundle.parse(data, "bomb.tflite")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 * 1024  # KiB: a member's limit and a bit


def test_the_signature_is_checked_before_anything_is_read(
    tmp_path: Path, public_key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ModelStore(tmp_path / "models", ModelOptions(public_key=str(public_key)))
    info = bundle.parse(PLAIN, "x").info
    monkeypatch.setattr(bundle, "parse", lambda *_: pytest.fail("it was parsed"))
    other = bundle.seal(SIGNED)
    assert other is not None
    for data, says in (
        (PLAIN, "is not signed"),
        (zipped({bundle.INFO: bytes(60 * 1024**2)}), "is not signed"),
        (SIGNED[:-1] + bytes([SIGNED[-1] ^ 1]), "was not made with the key"),
        (SIGNED[:5000] + bytes([SIGNED[5000] ^ 1]) + SIGNED[5001:], "was not made with the key"),
    ):
        with pytest.raises(ModelError, match=says):
            store.stage(data, info)


def test_files_signed_by_version_0_1_are_still_loaded_but_not_taken_over_mqtt(tmp_path: Path, public_key: Path) -> None:
    found = bundle.parse(PLAIN, "x")
    old = tmp_path / "old.tflite"
    parts = (found.flatbuffer, found.info.raw, found.golden_inputs, found.golden_logits)
    old.write_bytes(bundle.assemble(*parts, KEY.sign(found.signed_bytes)))
    assert Model.load(old, public_key=public_key).info.model_id == found.info.model_id
    store = ModelStore(tmp_path / "models", ModelOptions(public_key=str(public_key)))
    with pytest.raises(ModelError, match="is not signed as a whole"):
        store.stage(old.read_bytes(), found.info)
    assert (DATA / "state-0.1" / "first.tflite").exists()


def test_a_sealed_file_is_a_zip_and_a_network_for_everybody_else(tmp_path: Path, public_key: Path) -> None:
    path = tmp_path / "sealed.tflite"
    path.write_bytes(SIGNED)
    assert zipfile.ZipFile(path).testzip() is None
    assert Model.load(path, public_key=public_key).info == bundle.parse(PLAIN, "x").info
    assert bundle.signed(SIGNED, KEY.sign) == SIGNED  # signing again changes nothing


def damaged(rng: random.Random) -> bytes:
    """A signed or plain model with bytes flipped, cut out, doubled, its ZIP replaced, or foreign compression in it."""
    data = bytearray(rng.choice((SIGNED, PLAIN)))
    zip_start = len(FLATBUFFER)
    kind = rng.randrange(6)
    if kind == 0:
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(zip_start, len(data))] = rng.randrange(256)
    elif kind == 1:
        del data[rng.randrange(len(data)) :]
    elif kind == 2:
        at, size = rng.randrange(zip_start, len(data)), rng.randint(1, 4000)
        data[at : at + size] = rng.randbytes(rng.randint(0, 4000))
    elif kind == 3:
        content = rng.choice((bytes(rng.randint(0, 1 << 24)), rng.randbytes(1 << 12), b'{"schema":1}', b"[" * 9999))
        data = bytearray(zipped(whole() | {rng.choice((*MEMBERS, "x")): content}, rng.choice((0, 8, 12, 14))))
    elif kind == 4:
        packed = rng.choice((bz2.compress, lzma.compress))(rng.randbytes(500))
        data[zip_start + 30 : zip_start + 30 + len(packed)] = packed
    else:
        data = bytearray(lying(zipped(whole()), rng.choice((0, 1, 2**31, 2**32 - 1, rng.randrange(2**32)))))
    return bytes(data)


def fuzz(count: int, folder: str) -> None:
    """Refuse damaged files; print the largest memory, KiB."""
    key = Path(folder) / "key.pem"
    store = ModelStore(Path(folder) / "models", ModelOptions(public_key=str(key)))
    info, rng = bundle.parse(PLAIN, "x").info, random.Random(count)
    whole_read = 0
    for _ in range(count):
        data = damaged(rng)
        try:
            bundle.parse(data, "x")
            whole_read += 1
        except ModelError:
            pass
        try:
            store.stage(data, info)
        except ModelError:
            continue
        raise AssertionError("a damaged file was taken")
    status = Path("/proc/self/status").read_text()  # ru_maxrss would hold what the parent process had
    print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), whole_read)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("count", [100, pytest.param(5000, marks=pytest.mark.slow)])
def test_damaged_bundles_are_refused_within_256_mib(tmp_path: Path, public_key: Path, count: int) -> None:
    """The limit is set after the libraries are loaded: their address space is no memory."""
    code = (
        "import resource, sys; from tests.edge.model.test_damaged_bundles import *; "
        "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize(); "
        f"resource.setrlimit(resource.RLIMIT_AS, (now + {LIMIT_BYTES} // 2,) * 2); fuzz({count}, {str(tmp_path)!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    largest, unharmed = map(int, done.stdout.split())
    print(f"\n{count} damaged bundles: largest memory {largest / 1024:.0f} MiB, {unharmed} read as whole")
    assert largest * 1024 < LIMIT_BYTES
