"""The site builds without a warning, loads nothing from elsewhere, and is searched from a disk."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.places import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it as `make docs` does."""
    if not (ROOT / "mkdocs.yml").is_file():
        pytest.skip("no mkdocs.yml here")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)], cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture
def browser() -> Iterator[Any]:
    """A Chromium."""
    import shutil

    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        pytest.skip("Chromium is not installed: apt-get install chromium chromium-driver")
    from tests.support.harness import Browser

    running = Browser()
    yield running
    running.quit()


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loaded = re.compile(r"""(?:\bsrc|<link[^>]*\bhref|url\(|@import )\s*[=(]?\s*["']?((?:https?:)?//[^"'\s)>]+)""")
    found = {
        (path.name, url)
        for pattern in ("*.html", "*.css")
        for path in site.rglob(pattern)
        for url in loaded.findall(path.read_text(encoding="utf-8"))
    }
    assert not found


def test_every_document_is_a_page(site: Path) -> None:
    documents = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    assert not [path for path in documents if not (site / path.with_suffix(".html")).is_file()]
    index = (site / "index.html").read_text(encoding="utf-8")
    assert "make demo" in index
    assert "img/dashboard-fleet-dark.png" in index
    recordings = (site / "RECORDINGS.html").read_text(encoding="utf-8")
    assert "<h1" in recordings
    assert "leakear-train" in recordings


def test_lists_are_lists(site: Path) -> None:
    """No item was swallowed by the paragraph before it."""
    swallowed = [
        (page.name, line)
        for page in site.rglob("*.html")
        for line in re.sub(r"<pre>.*?</pre>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL).splitlines()
        if re.match(r"(- (<strong>|\w)|\d+\. [A-Z])", line)
    ]
    assert not swallowed


def test_it_is_searched_from_a_disk(site: Path, browser: Any) -> None:
    browser.open(f"file://{site}/index.html")
    browser.one("input[name=query]")
    browser.js("document.querySelector('input[name=query]').focus()")
    browser.js(
        "const e=document.querySelector('input[name=query]');e.value='outbox';"
        "e.dispatchEvent(new Event('input',{bubbles:true}));e.dispatchEvent(new KeyboardEvent('keyup',{bubbles:true}))"
    )
    browser.text(".md-search-result__item", "outbox")
    assert not browser.complaints()
