"""docs/INSTALL.md: the commands of each way, to the first alert and away again, and what it says stays behind."""

import re
from dataclasses import dataclass

from tests.support.places import ROOT

WAYS = {
    "deb": "Debian packages",
    "script": "The installer, from a checkout",
    "wheel": "A wheel, without a service",
    "image": "Containers",
}
"""way → heading of its section; its first block of commands leads to an alert, its second takes all away"""
STAYS = "What stays"
"""heading of the section that names, in backticks in a table, what is left behind"""


@dataclass(frozen=True)
class Way:
    """What the page says of one way."""

    to_an_alert: list[str]
    away: list[str]


def section(heading: str) -> str:
    """Return the text below a heading."""
    page = (ROOT / "docs" / "INSTALL.md").read_text(encoding="utf-8")
    found = re.search(rf"^(#+) {re.escape(heading)}$\n(.*?)(?=^#{{1,6}} |\Z)", page, re.MULTILINE | re.DOTALL)
    if not found:
        raise SystemExit(
            f"docs/INSTALL.md has no section {heading!r}: name it as tests/system/first_alert/page.py does"
        )
    return found[2]


def way(name: str) -> Way:
    """Return the commands of a way."""
    blocks = re.findall(r"^```sh\n(.*?)^```", section(WAYS[name]), re.MULTILINE | re.DOTALL)
    if len(blocks) != 2:
        raise SystemExit(f"docs/INSTALL.md, {WAYS[name]!r}: {len(blocks)} blocks of commands, two were expected")
    return Way(*([_typed(line) for line in block.splitlines() if _typed(line)] for block in blocks))


def _typed(line: str) -> str:
    return re.sub(r"(^|\s)# .*$", "", line).strip()


def stays() -> list[str]:
    """Return the patterns of what the page says stays behind: paths, and names of packages of Debian."""
    rows = [line.split("|")[1] for line in section(STAYS).splitlines() if line.startswith("| `")]
    return [pattern for row in rows for pattern in re.findall(r"`([^`]+)`", row)]
