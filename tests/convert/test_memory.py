from pathlib import Path
from types import SimpleNamespace

import pytest

from leakear.convert import cli
from leakear.convert.quantising.quantise import MODES
from leakear.convert.verifying import memory
from leakear.edge.errors import LeakearError
from tests.support.small_network import Capture

REFERENCE = SimpleNamespace(count_params=lambda: 216_492_801)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 4 GiB free memory, without a container's limit."""
    status = tmp_path / "meminfo"
    status.write_text(f"MemTotal: 1 kB\nMemAvailable: {4 << 20} kB\nSwapFree: 0 kB\n")
    monkeypatch.setattr(memory, "STATUS", status)
    monkeypatch.setattr(memory, "GROUPS", ())
    monkeypatch.setattr(memory, "resident", lambda: 0.5)
    return tmp_path


def test_the_reference_network_needs_less_than_20_gib() -> None:
    assert all(1 < memory.needed(REFERENCE, mode) <= 20 for mode in MODES)


@pytest.mark.parametrize("mode", MODES)
def test_too_little_memory_gives_a_sentence_with_a_remedy(machine: Path, mode: str) -> None:
    wanted = memory.needed(REFERENCE, mode)
    if wanted <= 4.5:
        memory.check(REFERENCE, mode)
        return
    with pytest.raises(LeakearError, match=f"216,492,801 parameters in {mode} takes about {wanted:.1f} GiB") as refusal:
        memory.check(REFERENCE, mode)
    assert "4.5 GiB can be had" in str(refusal.value)
    assert "--no-memory-check" in str(refusal.value)


def test_swap_counts_and_a_small_network_always_fits(machine: Path) -> None:
    memory.check(SimpleNamespace(count_params=lambda: 33_054), "int8")
    memory.STATUS.write_text(f"MemAvailable: {4 << 20} kB\nSwapFree: {30 << 20} kB\n")
    memory.check(REFERENCE, "int8")


def test_a_containers_lower_limit_is_used(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit, used = machine / "memory.max", machine / "memory.current"
    limit.write_text(f"{3 << 30}\n")
    used.write_text(f"{1 << 30}\n")
    monkeypatch.setattr(memory, "GROUPS", ((limit, used), (machine / "none", machine / "none")))
    assert memory.available() == 2
    limit.write_text("max\n")
    assert memory.available() == 4


def test_with_unknown_memory_nothing_is_refused(machine: Path) -> None:
    memory.STATUS.unlink()
    assert memory.available() is None
    memory.check(REFERENCE, "int8")


def test_the_command_refuses_before_it_converts(machine: Path, run_folder: Path, capsys: Capture) -> None:
    memory.STATUS.write_text("MemAvailable: 2048 kB\nSwapFree: 0 kB\n")
    out = machine / "m.tflite"
    words = [str(run_folder), "-o", str(out), "--calibration-windows", "40"]
    assert cli.main(words) == LeakearError.exit_code
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "GiB can be had: close other programs" in said[0]
    assert not out.exists()
    assert cli.main([*words, "--no-memory-check"]) == 0
    assert out.exists()
