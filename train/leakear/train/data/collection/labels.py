"""Which class a name means: of a folder, or in a table.

The reference notebook's rule for folders: a name that begins with `NoLeak` is NoLeak, any other is Leak. A name that
means NoLeak in another spelling would so become a leak: it is refused.
"""

import argparse
import re
import shlex
from collections.abc import Iterable, Mapping

from leakear.edge.errors import InputDataError
from leakear.edge.texts import plain, printable
from leakear.train.runfolder import LABELS

NO_LEAK, LEAK = LABELS
_NO_LEAK = ("noleak", "nonleak", "notleak", "nleak", "withoutleak", "withoutaleak", "semvazamento", "naovazamento",
            "semfuga", "nofuga", "leakfree", "leakless")  # fmt: skip
"""Beginnings of names that mean NoLeak, as `plain` writes them."""
_NO_LEAK_WHOLE = ("nl", "nol", "normal", "dry", "nenhum", "semvaz")
_LEAK = ("leak", "withleak", "withaleak", "vazamento", "comvazamento", "fuga", "comfuga", "vaza")
_YES, _NO = ("yes", "y", "sim", "s", "true", "1", "verdadeiro"), ("no", "n", "nao", "false", "0", "falso")
_YES_NO_COLUMNS = ("leak", "leakage", "vazamento", "fuga", "isleak", "hasleak")


class MisspeltError(InputDataError):
    """Folders whose names mean NoLeak in another spelling."""

    def __init__(self, names: Iterable[str], where: str) -> None:
        self.names = sorted(set(names))
        given = " ".join(f"--label {shlex.quote(printable(name) + '=NoLeak')}" for name in self.names)
        one = len(self.names) == 1
        super().__init__(
            f"{printable(where)}: the {'folder' if one else 'folders'} {', '.join(map(printable, self.names))} "
            f"{'seems' if one else 'seem'} to mean NoLeak, but only names that begin with NoLeak do: rename "
            f"{printable(self.names[0]) if one else 'them'} to NoLeak…, or give {given}"
        )


def mapping(text: str) -> tuple[str, str]:
    """Read `--label NAME=Leak|NoLeak`. Raises argparse.ArgumentTypeError."""
    name, _, label = text.rpartition("=")
    found = {"leak": LEAK, "noleak": NO_LEAK}.get(plain(label))
    if not name.strip() or found is None:
        raise argparse.ArgumentTypeError(f"{text!r}: write NAME=Leak or NAME=NoLeak")
    return name.strip().strip("/"), found


def of_folders(names: Iterable[str], given: Mapping[str, str], where: str) -> tuple[str, str]:
    """Return the label of a file in these folders, outermost first, and the name that decided.

    The innermost name in `given` decides, else one that begins with NoLeak or Leak, else the outermost.
    Raises MisspeltError for another spelling of NoLeak, and InputDataError for folders that contradict each other.
    """
    chain = list(names)
    for depth in range(len(chain), 0, -1):
        for name in (chain[depth - 1], "/".join(chain[:depth])):
            if name in given:
                return given[name], name
    found = {name: label for name in chain if (label := _of_folder(name, where)) is not None}
    if len(set(found.values())) > 1:
        raise InputDataError(
            f"{printable(where)}: the folder names {' and '.join(map(printable, found))} contradict each other: rename "
            f"one, or give --label {printable(list(found)[-1])}=Leak or =NoLeak"
        )
    return (next(iter(found.values())), list(found)[-1]) if found else (LEAK, chain[0])


def _of_folder(name: str, where: str) -> str | None:
    if name.startswith(NO_LEAK):
        return NO_LEAK
    if means_no_leak(name):
        raise MisspeltError([name], where)
    return LEAK if name.startswith(LEAK) else None


def means_no_leak(name: str) -> bool:
    """Tell whether a name means NoLeak in some spelling."""
    text = plain(name)
    return text.startswith(_NO_LEAK) or re.sub(r"\d+$", "", text) in _NO_LEAK_WHOLE


def of_cell(text: str, column: str, given: Mapping[str, str]) -> str | None:
    """Return the label that a cell of a table means; None when that is in doubt. `column`: its heading."""
    if text in given:
        return given[text]
    value = re.sub(r"^([01])[.,]0+$", r"\1", text.strip())
    if value in given:
        return given[value]
    if means_no_leak(value):
        return NO_LEAK
    first = plain(re.split(r"[^\w]|_", value.strip())[0])
    if plain(value) in (*_LEAK, "l") or first in _LEAK:
        return LEAK
    return yes_no(value, column)


def yes_no(text: str, column: str) -> str | None:
    """Return the label that a cell means in a column that asks for yes or no; None where it is no such cell."""
    value = plain(re.sub(r"^([01])[.,]0+$", r"\1", text.strip()))
    if plain(column) not in _YES_NO_COLUMNS or value not in (*_YES, *_NO):
        return None
    return LEAK if value in _YES else NO_LEAK
