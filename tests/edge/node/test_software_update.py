"""A new version that was taken back is a fault with its reason."""

from pathlib import Path

from leakear.edge.node.faults import SoftwareUpdate


def test_a_version_that_was_taken_back_is_a_fault_with_its_reason(tmp_path: Path) -> None:
    file = tmp_path / "rolled-back"
    assert SoftwareUpdate(file).faults == {}
    file.write_text("leakear-edge 0.3.0 was taken back (it stopped); 0.2.0 runs.\n")
    assert SoftwareUpdate(file).faults == {
        "update_rolled_back": "leakear-edge 0.3.0 was taken back (it stopped); 0.2.0 runs."
    }
    file.write_text("")
    assert "leakear-update status" in SoftwareUpdate(file).faults["update_rolled_back"]
