"""Without an optional part of the package every program names that part in one sentence."""

import subprocess
import sys

import pytest

BLOCKED = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] not in sys.stdlib_module_names | {{'leakear', 'numpy', 'scipy'}}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Finder())
from {module} import main
sys.argv = {words}
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("module", "words", "extra"),
    [
        ("leakear.edge.cli", ["leakear-edge", "listen"], "edge"),
        ("leakear.edge.cli", ["leakear-edge", "run"], "edge"),
        ("leakear.edge.cli", ["leakear-edge", "config", "example"], "edge"),
        ("leakear.train.cli", ["leakear-train", "fit", "/nowhere"], "train"),
        ("leakear.convert.cli", ["leakear-convert", "sign", "--new-key", "k"], "convert"),
        ("leakear.dashboard.program", ["leakear-dashboard", "--broker", "mqtt://localhost"], "dashboard"),
    ],
)
def test_the_missing_part_is_named(module: str, words: list[str], extra: str) -> None:
    code = BLOCKED.format(module=module, words=words)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 78, done.stderr
    assert done.stderr.endswith(f"is not installed here; run: pip install 'leakear[{extra}]'\n")
    assert done.stderr.count("\n") == 1


def test_a_module_of_our_own_that_is_missing_is_a_bug() -> None:
    from leakear.edge.command_line import missing

    with pytest.raises(ModuleNotFoundError):
        missing(ModuleNotFoundError("x", name="leakear.edge.nothing"), "edge")
