"""Commands as the documents show them: lines of code blocks, and code in sentences that names a program of ours."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.places import ROOT

DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "results").glob("*.md")),
]
OURS = ("leakear-edge", "leakear-train", "leakear-convert", "leakear-dashboard", "leakear-update", "make",
        "systemd/install", "systemd/broker")  # fmt: skip
OTHERS = ("sudo", "pip", "python", "python3", "dask", "apt-get", "install", "systemctl", "openssl", "journalctl",
          "mosquitto_sub", "mosquitto_pub")  # fmt: skip
"""what a line of an unmarked block must begin with to be a command and no output"""
SHELL = ("sh", "bash", "console")
_PAUSES = ("&&", "||", "|", ";", "&", "(", ")")
_TIME_OF_CRON = re.compile(r"([\d*,/-]+ ){5}")
_REDIRECTIONS = re.compile(r"[<>]+\(?")


@dataclass(frozen=True)
class Command:
    """One command as it is shown."""

    place: str
    """FILE:LINE"""
    text: str
    """continued lines joined, comment removed, blanks made single"""
    whole: bool
    """False: named in a sentence, arguments may be missing"""

    @property
    def calls(self) -> list[list[str]]:
        """Each program in it with its arguments; redirections and `sudo` left out."""
        lexer = shlex.shlex(
            _TIME_OF_CRON.sub("", self.text, count=1), posix=False, punctuation_chars="&|;<>()"
        )  # a quoted ; stays quoted
        lexer.whitespace_split = True
        lexer.commenters = ""
        calls: list[list[str]] = [[]]
        skip = False
        for word in lexer:
            if word in _PAUSES:
                calls.append([])
            elif _REDIRECTIONS.fullmatch(word):
                skip = "(" not in word
                calls += [] if skip else [[]]
            elif skip:
                skip = False
            else:
                calls[-1].append(word[1:-1] if word[0] in "'\"" else word)
        return [call[1:] if call[0] == "sudo" else call for call in calls if call and call != ["sudo"]]


def commands() -> list[Command]:
    """All commands of all documents."""
    return [command for path in DOCUMENTS for command in (*in_blocks(path), *in_sentences(path))]


def in_blocks(path: Path) -> Iterator[Command]:
    """Yield the commands in code blocks of a document, fenced or indented."""
    place = path.relative_to(ROOT)
    begun = ""
    for number, language, line in code(path.read_text(encoding="utf-8").splitlines()):
        text = begun + _without_comment(line).strip()
        if text.endswith(("\\", "|")) and (begun or _is_command(text, language)):
            begun = text.removesuffix("\\").rstrip() + " "
            continue
        if text and (begun or _is_command(text, language)):
            yield Command(f"{place}:{number}", " ".join(text.split()), whole=True)
        begun = ""


def in_sentences(path: Path) -> Iterator[Command]:
    """Yield code in sentences that begins with a program of ours and has more than its name."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, _, _ in code(lines):
        lines[number - 1] = ""
    text = "\n".join(lines)
    for found in re.finditer(r"`((?:sudo )?(?:" + "|".join(OURS) + r") [^`]+)`", text):
        number = text.count("\n", 0, found.start()) + 1
        yield Command(f"{path.relative_to(ROOT)}:{number}", " ".join(found[1].split()), whole=False)


def code(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """Yield number, language ("" if unmarked) and text of the lines of code blocks."""
    fence: str | None = None
    indented = False
    before = ""
    for number, line in enumerate(lines, 1):
        mark = re.match(r" *```(\w*)", line)
        if mark:
            fence = mark[1] if fence is None else None
        elif fence is not None:
            yield number, fence, line
        else:
            indented = line.startswith("    ") and (indented or not before.strip() or before.startswith("#"))
            if indented:
                yield number, "", line
        before = line


def _is_command(text: str, language: str) -> bool:
    first = text.split(maxsplit=1)[0]
    return language in SHELL or first in (*OURS, *OTHERS)


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)# .*$", "", line)
