"""Hook of MkDocs: README.md and the other files of the root become pages, and links lead to them.

The files stay as the code host shows them. Here they are fitted into the site: two sections of README.md are pages of
their own, a list of the decisions is written, a link to a file outside of the site becomes its text, and lists are
indented as Python-Markdown wants them (four spaces a level).
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
FROM_ROOT = ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
SECTIONS = {
    "On a Raspberry Pi": "RASPBERRY_PI.md",
    "Your own recordings, your own model": "RECORDINGS.md",
}
"""heading in README.md → page"""
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
ITEM = re.compile(r"( *)([-*] |\d+\. )")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are no files in docs/."""
    pages = {name: (ROOT / name).read_text(encoding="utf-8") for name in FROM_ROOT}
    pages |= split((ROOT / "README.md").read_text(encoding="utf-8"))
    pages["decisions/index.md"] = decisions(ROOT / "docs" / "decisions")
    for uri, text in pages.items():
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Fit one page in."""
    uri = page.file.src_uri
    at_root = uri in (*FROM_ROOT, *SECTIONS.values(), "index.md")
    return indented(linked(markdown, uri, "" if at_root else posixpath.join("docs", posixpath.dirname(uri))))


def split(readme: str) -> dict[str, str]:
    """Return README.md as pages: page → its text."""
    first, *sections = re.split(r"^## ", readme, flags=re.MULTILINE)
    pages = {"index.md": first}
    for section in sections:
        heading, _, text = section.partition("\n")
        uri = SECTIONS.get(heading.strip())
        if uri is None:
            pages["index.md"] += f"## {heading}\n{text}"
        else:
            pages[uri] = f"# {heading}\n{text}"
            pages["index.md"] += f"## {heading}\n\n[{heading}](docs/{uri})\n\n"
    return pages


def decisions(folder: Path) -> str:
    """Return a page that lists the records of decisions."""
    lines = []
    for path in sorted(folder.glob("[0-9]*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        lines.append(f"- [{title}]({path.name})")
    return "# Decisions\n\nWhy the design is as it is, one record a decision.\n\n" + "\n".join(lines) + "\n"


def linked(markdown: str, uri: str, folder: str) -> str:
    """Turn links between files of the repository into links between pages; `folder` holds the file."""

    def page(found: re.Match[str]) -> str:
        picture, text, target = found.groups()
        if re.match(r"[a-z]+:|#", target):
            return found[0]
        path, anchor, name = target.partition("#")
        path = posixpath.normpath(posixpath.join(folder, path))
        if path == "README.md":
            path = "index.md"
        elif path.startswith("docs/"):
            path = path.removeprefix("docs/")
        elif path not in FROM_ROOT:
            return text
        return f"{picture}[{text}]({posixpath.relpath(path, posixpath.dirname(uri) or '.')}{anchor}{name})"

    return LINK.sub(page, markdown)


def indented(markdown: str) -> str:
    """Indent what belongs to items of lists by four spaces a level, with the blank lines that Python-Markdown needs."""
    result: list[str] = []
    levels: list[int] = []  # columns at which the text of the items begins that are open here
    fence = loose = False
    for line in markdown.splitlines():
        text = line.lstrip(" ")
        column = len(line) - len(text)
        before = result[-1].strip() if result else ""
        item = None if fence or (not levels and column >= 4) else ITEM.match(line)
        loose = bool(levels) and (loose or not text)
        if text and not fence and (item or not before):
            levels = [level for level in levels if column >= level]
        if item and before and (loose or (not levels and not ITEM.match(before) and not result[-1].startswith("    "))):
            result.append("")
        beyond = 0 if item else max(column - levels[-1], 0) if levels else column
        result.append(" " * (4 * len(levels) + beyond) + text if text else "")
        if item:
            levels = [*levels, column + len(item[2])]
        if text.startswith("```"):
            fence = not fence
    return "\n".join(result) + "\n"
