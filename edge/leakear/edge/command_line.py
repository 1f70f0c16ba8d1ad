"""What the command lines share: subcommands imported only when called, errors as one sentence, types of arguments.

A value that makes no sense is refused by name, before any work, with exit code 2.
"""

import _thread
import argparse
import difflib
import errno
import importlib
import io
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakear.edge import __version__, options
from leakear.edge.errors import ConfigError, LeakearError
from leakear.edge.texts import printable

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of a write that names no file."""
_AFTER_S, _EVERY_S = 10.0, 1.0
"""No progress is shown of what takes less than the first, and never more often than the second."""


class Parser(argparse.ArgumentParser):
    """A parser that names a wrong option itself, under the usage of the subcommand to which it was given.

    argparse hands what a subcommand does not know to the program above it, which prints its own usage, and says only
    that a value is missing where a mistyped option should have given it.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse; what is left over ends the program with exit code 2."""
        words = list(sys.argv[1:] if args is None else args)
        if self._subparsers is None:
            options = words[: words.index("--")] if "--" in words else words
            self._refuse([word for word in options if word.startswith("--") and not self._takes(word)])
        found, unknown = super().parse_known_args(words, namespace)
        options = [word for word in unknown if word.startswith("-")]
        if any(action.nargs == argparse.SUPPRESS for action in self._get_positional_actions()):
            self._refuse(options)  # `parse_intermixed_args` takes the rest in its second turn
            return found, unknown
        self._refuse(options or unknown)
        return found, []

    def _takes(self, word: str) -> bool:
        name = word.partition("=")[0]
        return any(option.startswith(name) for option in self._option_string_actions)

    def _refuse(self, words: Sequence[str]) -> None:
        """End with usage and sentence where something is not known; values are not repeated, one may be secret."""
        if not words:
            return
        name = words[0].partition("=")[0] if words[0].startswith("-") else words[0]
        if not name.startswith("-"):
            self.error(f"{printable(name)}: is more than it takes; see --help")
        near = difflib.get_close_matches(name, list(self._option_string_actions), 1)
        self.error(
            f"there is no option {printable(name)} here{f': did you mean {near[0]}?' if near else '; see --help'}"
        )


@dataclass(frozen=True)
class Program:
    """One program with subcommands."""

    name: str
    help: str
    """with examples"""
    commands: Mapping[str, tuple[str, str]]
    """name → (module with HELP, add_arguments(parser) and main(args) → exit code, one line)"""
    epilog: str = ""
    interrupted: str = ""
    """printed at Ctrl-C; empty: nothing"""
    extra: str = "edge"
    """optional part of the package that it needs: leakear[edge]"""

    def run(self, arguments: Sequence[str]) -> int:
        """Run a subcommand; return its exit code."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # names of files need not be text
                stream.reconfigure(errors="backslashreplace")
        try:
            with _interrupted_for_sure():
                args = self.parser(arguments).parse_args(arguments)
                return _flushed(int(args.main(args)))
        except ModuleNotFoundError as error:
            self._print_error(str(missing(error, self.extra)))
            return ConfigError.exit_code
        except LeakearError as error:
            self._print_error(str(error))
            return error.exit_code
        except BrokenPipeError:
            _drop_output()
            return 1
        except OSError as error:
            self._print_error(_system_sentence(error))
            return 1
        except KeyboardInterrupt:
            if self.interrupted:
                self._print_error(self.interrupted)
            return 130

    def parser(self, arguments: Sequence[str]) -> argparse.ArgumentParser:
        """Build the parser; only the subcommand that the arguments name is imported and filled in."""
        raw = argparse.RawDescriptionHelpFormatter
        top = Parser(prog=self.name, description=self.help, epilog=self.epilog or None, formatter_class=raw)
        top.add_argument("--version", action="version", version=f"{self.name} {__version__}")
        known = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
        chosen = next((word for word in arguments if word in self.commands), "")
        for name, (module, line) in self.commands.items():
            if name != chosen:
                known.add_parser(name, help=line)
                continue
            loaded = importlib.import_module(module)
            child = known.add_parser(name, help=line, description=loaded.HELP, formatter_class=raw)
            loaded.add_arguments(child)
            child.set_defaults(main=loaded.main)
        return top

    def _print_error(self, sentence: str) -> None:
        print(f"{self.name}: {printable(sentence)}", file=sys.stderr)


def _flushed(code: int) -> int:
    """Write what is still in the buffer of standard output; return the exit code. Raises OSError."""
    sys.stdout.flush()
    return code


def _system_sentence(error: OSError) -> str:
    """Say which file could not be used, or that the disk is full; raise other errors on."""
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    if error.errno not in _DISK:
        raise error
    _drop_output()
    return f"writing failed: {error.strerror}; free some space, and run the same command again"


def _drop_output() -> None:
    """Send what is still in the buffer of standard output nowhere: Python would fail again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def missing(error: ModuleNotFoundError, extra: str) -> ConfigError:
    """Say which optional part of the package holds a module that is not installed; raise it on if it is our own."""
    name = (error.name or "").partition(".")[0]
    if name in ("", "leakear"):
        raise error
    return ConfigError(f"the Python module {name} is not installed here; run: pip install 'leakear[{extra}]'")


def place(text: str) -> Path:
    """Type of a file or folder; `~` is the home folder, as in a shell."""
    return options.path(text)


def whole(low: int, high: int | None = None) -> Callable[[str], int]:
    """Return a type for whole numbers from `low` to `high` (None: no end)."""
    limits = f"from {low} on" if high is None else f"from {low} to {high}"

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"{text!r}: give a whole number {limits}")
        return value

    return parse


def number(low: float, high: float = math.inf, *, above: bool = False) -> Callable[[str], float]:
    """Return a type for finite numbers from `low` (`above`: greater than that) to `high`."""
    limits = f"above {low:g}" if above else f"from {low:g}"
    if not math.isinf(high):
        limits += f" up to {high:g}"
    elif not above:
        limits += " on"

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or not low <= value <= high or (above and value == low):
            raise argparse.ArgumentTypeError(f"{text!r}: give a number {limits}")
        return value

    return parse


class ProgressLine:
    """One line of a terminal that says how far a long step is, and the time left; nothing where there is no terminal.

    Other lines are written over it.
    """

    def __init__(self, name: str, total: float | None = None) -> None:
        """Begin; `total`: of the whole step, in any unit. None: not known."""
        self._name, self._total = name, total
        self._began = self._last = time.monotonic()
        self._shown = False

    def update(self, done: float) -> None:
        """Say how much of `total` is done."""
        now = time.monotonic()
        if now - self._began > _AFTER_S and now - self._last > _EVERY_S and sys.stderr.isatty():
            print(f"\r\x1b[2K{self._text(done, now - self._began)}\r", end="", file=sys.stderr, flush=True)
            self._last, self._shown = now, True

    def end(self) -> None:
        """Remove the line."""
        if self._shown:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)

    def _text(self, done: float, spent_s: float) -> str:
        if not self._total or done <= 0:
            return f"{self._name}: {spent_s / 60:.0f} min so far"
        left_s = max(0.0, self._total - done) * spent_s / done
        return f"{self._name}: {min(1.0, done / self._total):.0%} done, about {left_s / 60:.1f} min left"


@contextmanager
def _interrupted_for_sure() -> Iterator[None]:
    """Let Ctrl-C come again where it fell into the clean-up of an object, from which Python passes on no exception."""
    before = sys.unraisablehook

    def lost(found: "sys.UnraisableHookArgs") -> None:
        if not issubclass(found.exc_type, KeyboardInterrupt):
            before(found)
            return
        again = threading.Timer(0.05, _thread.interrupt_main)
        again.daemon = True
        again.start()

    sys.unraisablehook = lost
    try:
        yield
    finally:
        sys.unraisablehook = before
