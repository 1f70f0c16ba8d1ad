"""The page's libraries are those that npm's lock names, unchanged, with their licences, and nothing else."""

import hashlib
import json
import re
from pathlib import Path

from leakear.dashboard import i18n

STATIC = Path(i18n.__file__).parent / "static"
VENDOR = STATIC / "vendor"
NPM = Path(__file__).parents[2] / "make/js"
SAID = json.loads((VENDOR / "vendor.json").read_text())


def test_every_file_is_the_one_that_was_copied() -> None:
    expected = {path: digest for about in SAID.values() for path, digest in about["sha256"].items()}
    found = {path.relative_to(VENDOR).as_posix(): path for path in VENDOR.rglob("*") if path.is_file()}
    assert found.keys() - {"vendor.json"} == expected.keys()
    for path, digest in expected.items():
        assert hashlib.sha256(found[path].read_bytes()).hexdigest() == digest, path


def test_versions_are_those_of_the_lock_and_each_has_a_free_licence() -> None:
    lock = json.loads((NPM / "package-lock.json").read_text())["packages"]
    wanted = json.loads((NPM / "package.json").read_text())["dependencies"]
    assert {name: about["version"] for name, about in SAID.items()} == wanted
    for name, about in SAID.items():
        assert lock[f"node_modules/{name}"]["version"] == about["version"]
        assert lock[f"node_modules/{name}"]["integrity"].startswith("sha512-")
        assert about["license"] in {"MIT", "ISC", "BSD-2-Clause"}
        assert (VENDOR / name / "LICENSE").read_text().strip()


def test_the_lock_names_no_index() -> None:
    lock = json.loads((NPM / "package-lock.json").read_text())["packages"]
    assert not [name for name, about in lock.items() if "resolved" in about]


def test_the_page_names_only_libraries_that_are_there() -> None:
    scripts = [path for path in STATIC.rglob("*.js") if "vendor" not in path.parts]
    text = "\n".join(path.read_text() for path in [*scripts, STATIC / "index.html"])
    named = set(re.findall(r"/static/vendor/([\w./-]+)", text))
    assert named
    assert all((VENDOR / path).is_file() for path in named), named
