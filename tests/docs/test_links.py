"""Links between files and to headings lead somewhere, as the code host shows the files; the glossary is complete."""

import re
from pathlib import Path

import pytest

from tests.docs.commands import code
from tests.support.places import ROOT

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def headings(path: Path) -> set[str]:
    """Return the anchors of a document: lower case, punctuation left out, blanks as hyphens."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, _, _ in code(lines):
        lines[number - 1] = ""
    titles = [line.lstrip("#").strip().lower() for line in lines if re.match(r"#{1,6} ", line)]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        other = (path.parent / name).resolve() if name else path
        if not other.is_relative_to(ROOT) or not other.exists() or (anchor and anchor not in headings(other)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_decisions_that_are_named_are_there(path: Path) -> None:
    named = re.findall(r"\bdecisions? (\d{1,4})\b", path.read_text(encoding="utf-8"))
    assert not [number for number in named if not list((ROOT / "docs/decisions").glob(f"{int(number):04}-*.md"))]


def test_the_glossary_has_the_ten_terms() -> None:
    terms = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", (ROOT / "ARCHITECTURE.md").read_text("utf-8"), re.MULTILINE)
    glossary = (ROOT / "docs" / "GLOSSARY.md").read_text(encoding="utf-8")
    first = next(n for n, (term, _) in enumerate(terms) if term == "window")
    assert len(terms[first:]) == 10
    assert not [term for term, meaning in terms[first:] if f"| {term} | {meaning} |" not in glossary]
