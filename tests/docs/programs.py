"""Whether a command exists: subcommand, options and values of programs of ours, targets and variables of `make`."""

import argparse
import contextlib
import importlib
import io
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any
from unittest import mock

from tests.support.places import ROOT

PROGRAMS = {
    "leakear-edge": "leakear.edge.cli",
    "leakear-train": "leakear.train.cli",
    "leakear-convert": "leakear.convert.cli",
    "leakear-dashboard": "leakear.dashboard.cli",
}
SCRIPTS = {
    "systemd/install": "systemd/install",
    "systemd/broker": "systemd/broker",
    "leakear-update": "packaging/debian/leakear-update",
}
"""command → its file"""
LEFT_OUT = "…"
_REAL: Callable[..., argparse.Namespace] = argparse.ArgumentParser.parse_args


class _ParserMet(BaseException):
    """Ends a program where it would parse its arguments."""


def parser_of(program: str, words: Sequence[str]) -> tuple[argparse.ArgumentParser, list[str]]:
    """Return the parser that the program uses for these words, and what it would parse. SystemExit: it has none."""

    def met(parser: argparse.ArgumentParser, given: Sequence[str] | None = None, *_: Any) -> None:
        raise _ParserMet(parser, list(words if given is None else given))

    with mock.patch.multiple(argparse.ArgumentParser, parse_args=met, parse_intermixed_args=met):
        try:
            raise SystemExit(importlib.import_module(PROGRAMS[program]).main(list(words)))
        except _ParserMet as end:
            return end.args


def wrong(call: Sequence[str], *, whole: bool) -> str:
    """Return what is wrong with one call of a program; "" when nothing is, or when it is no program of ours."""
    program, *words = call
    if program in PROGRAMS:
        return _wrong_arguments(program, words, whole=whole and LEFT_OUT not in words)
    if program == "make":
        return wrong_target(words)
    if program in SCRIPTS:
        text = (ROOT / SCRIPTS[program]).read_text(encoding="utf-8")
        unknown = [w for n, w in enumerate(words) if (n == 0 or w.startswith("-")) and w not in text]
        return f"{program} does not know {unknown}" if unknown else ""
    if program in ("python", "python3"):
        return _wrong_python(words)
    if program == "pip":
        return _wrong_pip(words)
    return ""


def _wrong_arguments(program: str, words: Sequence[str], *, whole: bool) -> str:
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            parser, given = parser_of(program, words)
            if whole:
                _REAL(parser, given)
        except SystemExit as end:
            return said.getvalue() if end.code else ""
    return "" if whole else _unknown(parser, given)


def _unknown(parser: argparse.ArgumentParser, words: Sequence[str]) -> str:
    """Look only for unknown subcommands and options: arguments may be missing."""
    choices = next((dict(a.choices) for a in parser._actions if isinstance(a, argparse._SubParsersAction)), {})
    names = words[0].split("|") if words and choices else []
    unknown = [name for name in names if name not in choices and not name.startswith("-") and name != LEFT_OUT]
    leaf = choices.get(names[0], parser) if names else parser
    options = [word.partition("=")[0] for word in words if word.startswith("-")]
    unknown += [option for option in options if option not in leaf._option_string_actions]
    return f"{leaf.prog} does not know {unknown}" if unknown else ""


@cache
def _makefiles() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in [ROOT / "Makefile", *(ROOT / "make").glob("*.mk")])


def wrong_target(words: Sequence[str]) -> str:
    """Return what `make -n` says against these targets, or which variable no file uses."""
    for word in words:
        name, sets, _ = word.partition("=")
        if sets and not re.search(rf"\$\({name}[):]|ifdef {name}\b|\$\(if \$\({name}\)", _makefiles()):
            return f"no Makefile uses {name}"
    targets = [word for word in words if "=" not in word and not word.startswith("-")]
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS")}
    done = subprocess.run(
        ["make", "-n", "--", *targets], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return done.stderr if done.returncode else ""


def _wrong_python(words: Sequence[str]) -> str:
    if words[:1] == ["-m"]:
        module = words[1]
        if module == "venv":
            return ""
        path = ROOT / (module.replace(".", "/") + ".py")
    else:
        path = ROOT / words[0]
    if not path.is_file():
        return f"{path.relative_to(ROOT)} is not there"
    text = path.read_text(encoding="utf-8")
    unknown = [word for word in words if word.startswith("--") and f'"{word}"' not in text]
    return f"{path.relative_to(ROOT)} does not know {unknown}" if unknown else ""


def _wrong_pip(words: Sequence[str]) -> str:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = [extra for word in words for extra in re.findall(r"^(?:\.|leakear)\[([a-z,-]+)\]$", word)]
    names = [name for extra in extras for name in extra.split(",")]
    unknown = [name for name in names if f"\n{name} = [" not in project]
    files = [b for a, b in pairwise(words) if a in ("-c", "-r") and not (ROOT / b).is_file()]
    return f"not there: {unknown + files}" if unknown or files else ""
