"""What the edge package imports, and what the wheel contains."""

import subprocess
import sys
import zipfile
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support.places import ROOT

HEAVY = ("tensorflow", "keras", "librosa", "scipy.signal", "scipy.stats", "matplotlib", "sklearn", "pandas")
PARTS = ("edge", "train", "convert", "dashboard")
DATA = {".json", ".tflite", ".typed", ".html", ".js", ".css", ".svg", ".md"}
"""File types that belong to a package besides its modules."""
WALK = """
import importlib, pkgutil, sys
import leakear.edge as package
names = [m.name for m in pkgutil.walk_packages(package.__path__, "leakear.edge.") if not m.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
print(len(names), [name for name in {heavy!r} if name in sys.modules])
"""


def run(code: str) -> str:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_importing_the_edge_package_loads_no_training_library() -> None:
    assert run(f"import sys, leakear.edge; print([name for name in {HEAVY!r} if name in sys.modules])") == "[]"


def test_importing_every_edge_module_loads_no_training_library() -> None:
    count, _, loaded = run(WALK.format(heavy=HEAVY)).partition(" ")
    files = [file for file in (ROOT / "edge/leakear/edge").rglob("*.py") if file.name != "__main__.py"]
    assert int(count) == len(files) - 1, "every module but leakear.edge itself"
    assert loaded == "[]"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", out, ROOT], check=True, capture_output=True
    )
    return next(out.glob("*.whl"))


def test_the_wheel_has_every_module_and_data_file(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for part in PARTS:
        source = ROOT / part
        files = [
            f for f in (source / "leakear").rglob("*") if f.suffix in DATA | {".py"} and "__pycache__" not in f.parts
        ]
        assert len(files) > 20
        assert {str(file.relative_to(source)) for file in files} <= names


def test_the_wheel_has_the_four_parts_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = archive.read(next(n for n in names if n.endswith("entry_points.txt"))).decode()
    for part in PARTS:
        assert f"leakear/{part}/__init__.py" in names
        assert f"leakear/{part}/py.typed" in names
        assert f"leakear-{part}" in entry_points
    assert "leakear/__init__.py" not in names
    assert "leakear/edge/model/factory.tflite" in names
    assert {name.split("/")[0] for name in names} == {
        "leakear",
        next(n for n in names if "dist-info" in n).split("/")[0],
    }
    assert not [name for name in names if "tests/" in name or name.endswith(".pyc")]


@pytest.fixture(scope="module")
def node(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with the wheel and its [edge] dependencies only."""
    place = tmp_path_factory.mktemp("node")
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    command = [place / "bin" / "python", "-m", "pip", "install", "-q", "-c", ROOT / "constraints" / "edge.txt"]
    done = subprocess.run([*command, f"leakear[edge] @ {wheel.as_uri()}"], check=False, capture_output=True, text=True)
    if done.returncode and "Could not find a version" in done.stderr:
        pytest.skip("no package index is reachable")
    assert done.returncode == 0, done.stderr
    return place


def test_a_node_replays_with_the_edge_dependencies_only(node: Path, tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    soundfile.write(tmp_path / "a.wav", 0.01 * np.random.default_rng(1).standard_normal(220500), 22050)
    replay = [node / "bin" / "leakear-edge", "replay", "--json", tmp_path / "a.wav"]
    done = subprocess.run(replay, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert '"score"' in done.stdout


def test_a_node_has_no_training_library(node: Path) -> None:
    listed = subprocess.run([node / "bin" / "pip", "list"], check=True, capture_output=True, text=True).stdout.lower()
    assert "numpy" in listed
    for name in ("tensorflow", "keras", "librosa", "scikit", "matplotlib", "numba", "nicegui"):
        assert name not in listed


def test_the_source_distribution_builds(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "build", "--sdist", "--no-isolation", "-o", tmp_path, ROOT],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("part", ["edge", "train", "convert", "dashboard"])
def test_no_module_imports_itself_through_others(part: str) -> None:
    """Imports for types alone count too. Needs grimp, which import-linter brings."""
    graph = pytest.importorskip("grimp").build_graph(f"leakear.{part}")
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 20
    TopologicalSorter(imports).prepare()  # CycleError names the circle
