"""Which file a cell of a table means: written on another machine, in another form, or by its name alone."""

import re
import unicodedata
from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote

from leakear.train.data.collection import folders

_QUOTES = ("\u201c\u201d", "\u2018\u2019", "\u201e\u201c", "\u00ab\u00bb")
"""Pairs of quotation marks that text programs put in place of plain ones."""


class WrittenPaths:
    """Finds the files below a data folder."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._names: dict[str, list[Path]] | None = None

    def locate(self, written: str) -> Path:
        r"""Return the file that a cell means: with `\`, in quotes, in another case or Unicode form, without its ending.

        A path of another machine is looked up by its last parts, a name alone in all folders, where there is only one.
        Where nothing fits, the path as written.
        """
        written = _plain(written)
        raw = re.sub(r"\\u(dc[89a-f][0-9a-f])", lambda found: chr(int(found[1], 16)), written)  # as `manifest` writes
        for form in dict.fromkeys([written, raw, written.replace("\\", "/")]):
            if "\0" not in form and (self._data / form).is_file():
                return self._data / form
        parts = [part for part in re.split(r"[\\/]+", written) if part not in ("", ".")]
        for first in range(len(parts)):
            if self._may_go(written, parts[:first]) and (found := _descend(self._data, parts[first:])):
                return found
        alone = self._by_name(parts[-1]) if len(parts) == 1 else []
        return alone[0] if len(alone) == 1 else self._data / written.replace("\0", "")

    def _may_go(self, written: str, first: list[str]) -> bool:
        """Tell whether these first folders are not of the data: of another machine, or the data folder's own."""
        if re.match(r"[\\/]|[A-Za-z]:", written):
            return True
        own = [_folded(part) for part in self._data.resolve().parts]
        return not first or own[-len(first) :] == [_folded(part) for part in first]

    def _by_name(self, name: str) -> list[Path]:
        """Return the sound files of this name in any folder."""
        if self._names is None:
            self._names = defaultdict(list)
            for path in folders.sounds(self._data):
                self._names[_folded(path.name)].append(path)
                self._names[_folded(path.stem)].append(path)
        return self._names.get(_folded(name), [])


def same_cell(one: str, other: str) -> bool:
    """Tell whether two cells are the same path but for its form."""
    return _folded(_plain(one).replace("\\", "/")) == _folded(_plain(other).replace("\\", "/"))


def _plain(written: str) -> str:
    """Return a cell without the quotes that Windows copies with a path, and without the form of a link."""
    text = written.strip()
    if link := re.fullmatch(r"=\s*HYPERLINK\(\s*\"([^\"]+)\".*\)", text, re.IGNORECASE):
        text = link[1]
    if len(text) > 1 and ((text[0] == text[-1] and text[0] in "\"'") or text[0] + text[-1] in _QUOTES):
        text = text[1:-1]
    return unquote(re.sub("^file:/+(?=[A-Za-z]:|)", "/", text)) if text.lower().startswith("file:") else text


def _descend(folder: Path, parts: list[str]) -> Path | None:
    """Find a path below a folder, whatever the case and the form of accents; None where it is not or not unique."""
    for number, part in enumerate(parts):
        try:
            entries = list(folder.iterdir())
        except OSError:
            return None
        same = [e for e in entries if e.name == part] or [e for e in entries if _folded(e.name) == _folded(part)]
        if not same and number == len(parts) - 1:
            same = [e for e in entries if _folded(e.stem) == _folded(part) and e.is_file()]
        if len(same) != 1:
            return None
        folder = same[0]
    return folder if folder.is_file() else None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
