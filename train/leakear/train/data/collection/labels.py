"""Which class a name means: of a folder, or in a table.

The reference notebook's rule for folders: a name that begins with `NoLeak` is NoLeak, any other is Leak. A name that
means NoLeak in another spelling would so become a leak: it is refused.
"""

import argparse
import re
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
    Raises InputDataError for another spelling of NoLeak, and for folders that contradict each other.
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
        raise InputDataError(
            f"{printable(where)}: the folder {printable(name)} seems to mean NoLeak, but only names that begin with "
            f"NoLeak do: rename {printable(name)} to NoLeak, or give --label '{printable(name)}=NoLeak'"
        )
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
    if plain(column) in _YES_NO_COLUMNS and plain(value) in (*_YES, *_NO):
        return LEAK if plain(value) in _YES else NO_LEAK
    return None
