"""Upload of a model: its parts become the whole bundle, or nothing."""

import base64
import hashlib
import random
from pathlib import Path
from typing import Any

import pytest

from leakear.edge.messages.requests import PART_BYTES, ModelRequest
from leakear.edge.mqtt.dispatcher import CommandRefused
from leakear.edge.remote.model_upload import Transfer


def put(data: bytes, part: int, /, **changes: Any) -> ModelRequest:
    chunk = data[part * PART_BYTES : (part + 1) * PART_BYTES]
    fields = {
        "id": "m",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "part": part,
        "data": base64.b64encode(chunk).decode(),
    }
    return ModelRequest.from_json({**fields, **changes})


def test_a_bundle_in_parts_is_whole_or_not_at_all(tmp_path: Path) -> None:
    data = random.Random(1).randbytes(PART_BYTES * 2 + 17)
    transfer = Transfer(tmp_path / "sub" / "incoming", lambda: 10**6)
    assert transfer.add(put(data, 0)) is None
    assert transfer.add(put(data, 0)) is None, "part 0 begins anew"
    assert transfer.add(put(data, 1)) is None
    assert transfer.add(put(data, 1)) is None, "delivered twice by QoS 1"
    with pytest.raises(CommandRefused, match="Part 7 does not fit: expected is part 2 of 3"):
        transfer.add(put(data, 2, part=7))
    assert transfer.add(put(data, 2)) == data
    assert not transfer.path.exists()


def test_parts_of_nothing_or_of_something_else_are_refused(tmp_path: Path) -> None:
    data = bytes(PART_BYTES + 1)
    transfer = Transfer(tmp_path / "incoming", lambda: 10**6)
    with pytest.raises(CommandRefused, match="begin with part 0"):
        transfer.add(put(data, 1))
    with pytest.raises(CommandRefused, match="max_model_bytes allows 1000000"):
        transfer.add(put(data, 0, size=10**7))
    transfer.add(put(data, 0))
    with pytest.raises(CommandRefused, match="begin with part 0"):
        transfer.add(put(data, 1, sha256="0" * 64))
    with pytest.raises(CommandRefused, match="does not fit"):
        transfer.add(put(data, 1, data="AAAA"))
    transfer.add(put(data, 0, sha256="0" * 64))
    with pytest.raises(CommandRefused, match="SHA-256 that was promised"):
        transfer.add(put(data, 1, sha256="0" * 64))
    with pytest.raises(CommandRefused, match="needs sha256, size, part and data"):
        transfer.add(ModelRequest(id="x"))
