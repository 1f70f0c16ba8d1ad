"""What the node loads and what the wheel holds."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("tensorflow", "keras", "librosa", "scipy.signal", "scipy.stats", "matplotlib", "sklearn", "pandas")


def test_importing_the_node_loads_nothing_of_the_workstation() -> None:
    code = (
        "import importlib, pkgutil, sys, leakear.edge as e\n"
        "for m in pkgutil.iter_modules(e.__path__): importlib.import_module('leakear.edge.' + m.name)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", out, ROOT], check=True, capture_output=True
    )
    return next(out.glob("*.whl"))


def test_the_wheel_holds_the_four_parts_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = archive.read(next(n for n in names if n.endswith("entry_points.txt"))).decode()
    for part in ("edge", "train", "convert", "dashboard"):
        assert f"leakear/{part}/__init__.py" in names
        assert f"leakear/{part}/py.typed" in names
        assert f"leakear-{part}" in entry_points
    assert "leakear/__init__.py" not in names
    assert "leakear/edge/models/factory.tflite" in names
    assert {name.split("/")[0] for name in names} == {
        "leakear",
        next(n for n in names if "dist-info" in n).split("/")[0],
    }
    assert not [name for name in names if "test" in name.lower() or name.endswith(".pyc")]


def test_the_wheel_alone_serves_a_node_with_the_edge_packages_only(wheel: Path, tmp_path: Path) -> None:
    """In an environment that holds [edge] and no workstation library the node runs from the wheel."""
    place = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    venv.create(tmp_path / "env", with_pip=False)
    allowed = ("numpy", "scipy", "soxr", "soundfile", "sounddevice", "paho", "cryptography", "ai_edge_litert", "cffi")
    code = (
        "import sys, importlib.abc\n"
        f"allowed = {allowed!r}\n"
        f"sys.path.insert(0, {str(place)!r})\n"
        "class Refuse(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('tensorflow', 'keras', 'librosa', 'sklearn', 'matplotlib', 'pandas',"
        " 'nicegui', 'sqlalchemy', 'leakear_train'):\n"
        "            raise ImportError('not on a node: ' + name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from leakear.edge.model import FACTORY, Model\n"
        "assert str(FACTORY).startswith(sys.path[0]), FACTORY\n"
        "print(Model.load(FACTORY).info.model_id)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_the_source_distribution_builds(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "build", "--sdist", "--no-isolation", "-o", tmp_path, ROOT],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
