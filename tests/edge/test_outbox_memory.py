"""What the outbox remembers for the daemon: never believed when it is damaged, never lost for want of room."""

from pathlib import Path

import pytest
from broker import Broker
from factory import event
from living_node import BORN, living_node

from leakear.edge.outbox import Outbox

STATE = {"utc": BORN, "memory": {"threshold": 0.875}}


def test_no_flipped_bit_in_what_is_remembered_stops_the_node_or_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path) as box:
        box.put(event(), state=STATE)
    whole = path.read_bytes()
    begin = whole.rindex(b'{"utc"')
    end = whole.index(b"\n", begin) + 9
    for at in range(begin, end):
        data = bytearray(whole)
        data[at] ^= 1 << (at % 8)
        path.write_bytes(data)
        with Outbox(path) as box:
            assert box.load_state() == {}
            assert "(state) was damaged" in box.faults["outbox_corrupt"]
            assert box.depth == 1


@pytest.mark.parametrize("key", ["counters", "seq", "state"])
def test_every_value_may_be_damaged(tmp_path: Path, key: str) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path) as box:
        box.put(event(), state=STATE)
    data = bytearray(path.read_bytes())
    data[data.rindex(key.encode()) + len(key)] = 0xFF  # no UTF-8 either
    path.write_bytes(data)
    with Outbox(path) as box:
        assert f"({key}) was damaged" in box.faults["outbox_corrupt"]
        assert box.put(event()).seq == 2
    with Outbox(path) as box:
        assert box.faults == {}
        assert box.depth == 2


def test_a_node_whose_memory_is_damaged_starts_anew_and_says_so(broker: Broker, tmp_path: Path) -> None:
    with living_node(broker, tmp_path) as life:
        life.hear(30)
    data = bytearray((tmp_path / "outbox.db").read_bytes())
    data[data.rindex(b'"pipeline"')] ^= 4
    (tmp_path / "outbox.db").write_bytes(data)
    with living_node(broker, tmp_path) as life:
        life.hear(10)
        assert life.node.pipeline.scored == 1
        assert "outbox_corrupt" in life.node.faults
