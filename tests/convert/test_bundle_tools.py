import io
import json
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from leakear.convert import cli
from leakear.edge import cli as edge_cli
from leakear.edge.errors import ConfigError, ModelError
from leakear.edge.model import bundle
from leakear.edge.model.tflite import Model
from tests.support.places import ROOT, TINY
from tests.support.small_network import Capture

Keys = tuple[Path, Path]
SCHEMA = ROOT / "docs" / "schemas" / "leakear-bundle.schema.json"


def rebuilt(path: Path, **changed: object) -> bytes:
    """The bytes of a model file whose JSON says something else, hashes and all."""
    loaded = bundle.read(path)
    info = json.loads(json.dumps(loaded.info.raw)) | changed
    return bundle.assemble(loaded.flatbuffer, info, loaded.golden_inputs, loaded.golden_logits)


def with_json(data: bytes, text: bytes) -> bytes:
    """The file with another leakear.json, as a hand with a ZIP tool would leave it."""
    loaded = bundle.parse(data, "x")
    members = {bundle.INFO: text, bundle.INPUTS: bundle._npy(loaded.golden_inputs)}
    return bundle._packed(loaded.flatbuffer, members | {bundle.LOGITS: bundle._npy(loaded.golden_logits)})


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """A new pair: private, public."""
    assert cli.main(["sign", "--new-key", str(tmp_path / "mine")]) == 0
    return tmp_path / "mine.private.pem", tmp_path / "mine.public.pem"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    file = tmp_path / "copy.tflite"
    file.write_bytes(TINY.read_bytes())
    return file


def refused(capsys: Capture, *words: str, code: int = 78) -> str:
    """Run the command; it must end with that code and one sentence."""
    assert cli.main(list(words)) == code
    said = capsys.readouterr().err.strip().splitlines()
    assert len([line for line in said if line.startswith("leakear-convert: ")]) == 1
    return said[-1]


def test_the_description_fits_its_published_schema(converted: Path) -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    for file in (converted, TINY):
        validator.validate(bundle.read(file).info.raw)


def test_the_schema_describes_every_key_that_is_written(converted: Path) -> None:
    """A key that nobody documented is a key that nobody may rely on."""

    def undocumented(value: object, schema: dict[str, Any], path: str = "") -> list[str]:
        if not isinstance(value, dict) or "properties" not in schema:
            return []
        known = schema["properties"]
        missing = [f"{path}.{key}" for key in value if key not in known and "additionalProperties" not in schema]
        inner = [undocumented(value[key], known[key], f"{path}.{key}") for key in value if key in known]
        return missing + [name for names in inner for name in names]

    assert undocumented(dict(bundle.read(converted).info.raw), json.loads(SCHEMA.read_text())) == []


def test_zip_tools_and_runtimes_open_the_file(converted: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    assert zipfile.ZipFile(converted).testzip() is None
    Interpreter(model_path=str(converted)).allocate_tensors()


def test_inspect_prints_text_and_json(converted: Path, capsys: Capture) -> None:
    assert cli.main(["inspect", str(converted)]) == 0
    text = capsys.readouterr().out
    assert "small-" in text
    assert "20 to 1800 Hz" in text
    assert "tflite-runtime 2.14" in text or "ai-edge-litert" in text
    assert "CC0-1.0" in text
    assert cli.main(["inspect", str(converted), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["positive"] == "Leak"
    assert edge_cli.main(["inspect", str(converted), "--verify", "--json"]) == 0
    verified = json.loads(capsys.readouterr().out)["verified"]
    assert verified["worst_difference"] < 1e-5
    assert len(verified["golden_logits"]) == 7


def test_verify_runs_every_installed_runtime(copy: Path, capsys: Capture) -> None:
    assert cli.main(["verify", str(copy), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert found[0]["ok"] is True
    assert found[0]["name"].startswith("ai-edge-litert 2.")
    assert {item["ok"] for item in found} <= {True, None}


def test_a_plain_flatbuffer_and_a_truncated_file_have_their_own_errors(copy: Path, capsys: Capture) -> None:
    data = copy.read_bytes()
    for size in (0, 10, 4000, len(data) // 2, len(data) - 1):
        copy.write_bytes(data[:size])
        assert "is cut short" in (said := refused(capsys, "inspect", str(copy))) or "not a TFLite model" in said
    copy.write_bytes(bundle.parse(data, "x").flatbuffer)
    assert "plain .tflite" in refused(capsys, "verify", str(copy))


@pytest.mark.parametrize(
    ("member", "words"),
    [("", "differs from its recorded hash"), *((name, f"damaged ({name} has a wrong size or checksum)") for name in (
        bundle.INFO, bundle.INPUTS, bundle.LOGITS))],
)  # fmt: skip
def test_one_flipped_byte_is_detected(copy: Path, capsys: Capture, member: str, words: str) -> None:
    data = bytearray(stored_plainly(copy.read_bytes()))
    at = 3000
    if member:
        with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
            entry = archive.getinfo(member)
        at = entry.header_offset + 30 + len(member) + entry.file_size // 2
    data[at] ^= 1
    copy.write_bytes(data)
    assert words in refused(capsys, "verify", str(copy))
    with pytest.raises(ModelError):
        Model.load(copy)


def stored_plainly(data: bytes) -> bytes:
    """The same file with an uncompressed ZIP, so that one byte of a member can be reached."""
    source = zipfile.ZipFile(io.BytesIO(data))
    buffer = io.BytesIO()
    buffer.write(bundle.parse(data, "x").flatbuffer)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name))
    return buffer.getvalue()


def test_flipped_bytes_of_the_zip_are_detected_or_have_no_effect(copy: Path) -> None:
    data = copy.read_bytes()
    whole = bundle.parse(data, "x")
    rng = np.random.default_rng(1)
    for at in rng.integers(len(whole.flatbuffer), len(data), 600):
        damaged = bytearray(data)
        damaged[at] ^= 1 << rng.integers(8)
        try:
            read = bundle.parse(bytes(damaged), "x")
        except ModelError:
            continue
        assert read.info == whole.info
        assert read.flatbuffer == whole.flatbuffer
        assert (read.golden_inputs == whole.golden_inputs).all()
        assert (read.golden_logits == whole.golden_logits).all()


def test_a_wrong_golden_vector_is_refused_by_converter_and_node(copy: Path, capsys: Capture) -> None:
    loaded = bundle.read(copy)
    wrong = bundle.assemble(loaded.flatbuffer, loaded.info.raw, loaded.golden_inputs, -loaded.golden_logits)
    copy.write_bytes(wrong)
    assert "golden logits lie" in refused(capsys, "verify", str(copy))
    with pytest.raises(ModelError, match="golden vector gives another result"):
        Model.load(copy)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"labels": ["Leak", "NoLeak"]}, "needs labels"),
        ({"positive": "NoLeak"}, "needs labels"),
        ({"output": {"kind": "probability"}}, "logit output"),
        ({"temperature": 0}, "temperature"),
        ({"decision": {"threshold": 1.5}}, "threshold"),
        ({"decision": {}}, "lacks 'threshold'"),
        ({"spectrogram": {"reference": "loudest"}}, "reference"),
        ({"spectrogram": {"mel_bands": 40}}, "mel_bands"),
    ],
)
def test_an_invalid_description_is_refused(copy: Path, changed: dict[str, object], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        bundle.parse(rebuilt(copy, **changed), "m.tflite")


@pytest.mark.parametrize(
    ("schema", "words"), [(0, "leakear-convert RUN"), (2, "update leakear"), (None, "convert its run")]
)
def test_the_error_for_another_schema_says_what_to_do(copy: Path, schema: int | None, words: str) -> None:
    text = json.dumps({**bundle.read(copy).info.raw, "schema": schema}).encode()
    with pytest.raises(ModelError, match=words):
        bundle.parse(with_json(copy.read_bytes(), text), "m.tflite")


def test_keys_of_a_later_version_are_ignored(copy: Path) -> None:
    read = bundle.parse(rebuilt(copy, watermark={"by": "somebody"}), "m.tflite").info
    assert read.model_id == bundle.read(copy).info.model_id


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff\xfe", b'"x"', b"[" * 100_000])
def test_invalid_json_is_refused(copy: Path, text: bytes) -> None:
    with pytest.raises(ModelError, match=r"m\.tflite"):
        bundle.parse(with_json(copy.read_bytes(), text), "m.tflite")


def test_with_a_key_a_signed_model_loads_and_an_unsigned_one_does_not(copy: Path, keys: Keys, capsys: Capture) -> None:
    private, public = keys
    with pytest.raises(ModelError, match="is not signed"):
        Model.load(copy, public_key=public)
    before = bundle.read(copy)
    assert cli.main(["sign", str(copy), "--key", str(private)]) == 0
    after = bundle.read(copy)
    assert (after.info, after.flatbuffer) == (before.info, before.flatbuffer)
    assert Model.load(copy, public_key=public).info.model_id == before.info.model_id
    assert cli.main(["verify", str(copy), "--key", str(public)]) == 0
    assert "signed by" in capsys.readouterr().out


def test_a_signature_of_another_key_or_file_is_refused(copy: Path, keys: Keys, tmp_path: Path, capsys: Capture) -> None:
    private, public = keys
    assert cli.main(["sign", "--new-key", str(tmp_path / "other")]) == 0
    assert cli.main(["sign", str(copy), "--key", str(tmp_path / "other.private.pem")]) == 0
    assert "not made with the key" in refused(capsys, "verify", str(copy), "--key", str(public))
    assert cli.main(["sign", str(copy), "--key", str(private)]) == 0
    signature = bundle.read(copy).signature
    assert signature is not None
    lowered = rebuilt(copy, decision={"threshold": 0.01})
    copy.write_bytes(bundle.signed(lowered, lambda _: signature))
    with pytest.raises(ModelError, match="not made with the key"):
        Model.load(copy, public_key=public)
    copy.write_bytes(bundle.signed(TINY.read_bytes(), lambda _: signature[:-1] + bytes([signature[-1] ^ 1])))
    with pytest.raises(ModelError, match="not made with the key"):
        Model.load(copy, public_key=public)


def test_the_error_for_a_missing_or_invalid_key_names_it(
    copy: Path, keys: Keys, tmp_path: Path, capsys: Capture
) -> None:
    missing = tmp_path / "nowhere.pem"
    assert "nowhere.pem: No such file" in refused(capsys, "verify", str(copy), "--key", str(missing))
    assert "nowhere.pem: No such file" in refused(capsys, "sign", str(copy), "--key", str(missing))
    junk = tmp_path / "junk.pem"
    junk.write_text("not a key")
    assert "is not a PEM public key" in refused(capsys, "verify", str(copy), "--key", str(junk))
    assert "cannot be read" in refused(capsys, "sign", str(copy), "--key", str(junk))
    with pytest.raises(ConfigError, match="public key"):
        Model.load(copy, public_key=keys[0])
    assert copy.read_bytes() == TINY.read_bytes()


def test_a_password_file_of_a_windows_editor_opens_the_key_or_is_named(
    copy: Path, keys: Keys, tmp_path: Path, capsys: Capture
) -> None:
    private, word = keys[0], tmp_path / "word"
    key = load_pem_private_key(private.read_bytes(), password=None)
    how = (Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"geheim"))
    private.write_bytes(key.private_bytes(*how))
    words = ("sign", str(copy), "--key", str(private), "--password-file", str(word))
    word.write_bytes(b"\xef\xbb\xbfgeheim\r\n")
    assert cli.main(list(words)) == 0
    word.write_bytes("geheim".encode("utf-16"))
    assert f"--password-file {word} is UTF-16 text; save it as UTF-8" in refused(capsys, *words)


def test_a_private_key_is_readable_only_for_its_owner_and_never_overwritten(
    keys: Keys, tmp_path: Path, capsys: Capture
) -> None:
    private, _ = keys
    assert private.stat().st_mode & 0o077 == 0
    assert "exists already" in refused(capsys, "sign", "--new-key", str(tmp_path / "mine"))


def test_diff_shows_important_keys_first(copy: Path, tmp_path: Path, capsys: Capture) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes(rebuilt(copy, decision={"threshold": 0.75}, attribution=["somebody"]))
    assert cli.main(["diff", str(copy), str(other)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("decision.threshold")
    change = 0.75 - bundle.read(copy).info.threshold
    assert f"→ 0.75 ({change:+.4f}"[:-1] in lines[0]
    assert lines[1].startswith("attribution")
    assert cli.main(["diff", str(copy), str(copy)]) == 0
    assert "equal" in capsys.readouterr().out
    assert cli.main(["diff", str(copy), str(other), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["attribution"] == [[], ["somebody"]]


def test_usage_errors_end_with_2(capsys: Capture) -> None:
    for words in ([], ["sign", "--key", "x"], ["RUN"], ["diff", "one"]):
        try:
            code = cli.main(words)
        except SystemExit as error:
            code = int(error.code or 0)
        assert code == 2
    capsys.readouterr()
