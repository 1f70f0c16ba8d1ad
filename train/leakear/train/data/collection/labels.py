"""Which class a name means: of a folder, or in a table.

The reference notebook's rule for folders: a name that begins with `NoLeak` is NoLeak, any other is Leak. A name that
means NoLeak in another spelling would so become a leak: it is refused.
"""

import argparse
import re
import shlex
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from leakear.edge.errors import InputDataError
from leakear.edge.texts import plain, printable
from leakear.train.runfolder import LABELS

NO_LEAK, LEAK = LABELS
_NO_LEAK = ("noleak", "nonleak", "notleak", "nleak", "withoutleak", "withoutaleak", "leakfree", "leakless",
            "semvazamento", "naovazamento", "semvazar", "naovaza", "semfuga", "naofuga", "nofuga", "nohayfuga",
            "sinfuga", "sansfuite", "pasdefuite", "keinleck", "ohneleck")  # fmt: skip
"""Beginnings of names that mean NoLeak, as `plain` writes them."""
_NO_LEAK_WHOLE = ("nl", "nol", "normal", "dry", "nenhum", "semvaz")
_QUIET = ("ok", "quiet", "silent", "silence", "background", "baseline", "ambient", "negative", "negativo", "neg",
          "none", "healthy", "good", "intact", "seco", "seca", "silencio", "fundo", "fondo", "0", "no", "nao",
          "false", "noise", "noises", "ruido", "ruidos", "barulho", "barulhos", "bruit", "bom", "boa", "bueno", "bem",
          "bien")  # fmt: skip
"""Names that probably mean NoLeak, where no other folder says more."""
_LEAK = ("leak", "leaks", "leaking", "withleak", "withaleak", "vazamento", "vazamentos", "comvazamento", "vaza",
         "vazando", "vazou", "fuga", "fugas", "comfuga", "confuga", "escape", "escapes", "perdida", "perdidas", "fuite",
         "fuites", "leck", "lecks", "leckage", "perdita", "perdite", "lekkage")  # fmt: skip
_NEGATIONS = ("no", "not", "non", "without", "nao", "sem", "nenhum", "nenhuma", "sin", "ningun", "ninguna", "sans",
              "pas", "aucun", "aucune", "kein", "keine", "ohne", "nessuna", "senza", "geen", "zonder")  # fmt: skip
_BETWEEN = ("a", "any", "is", "ha", "hay", "houve", "tem", "existe", "um", "uma", "una", "de", "d", "la", "con", "com")
"""Words between a negation and what it denies: `não há vazamento`, `no hay una fuga`."""
_UNSURE = ("unknown", "unsure", "uncertain", "maybe", "unlabeled", "unlabelled", "naosei", "naosesabe", "desconhecido",
           "desconhecida", "duvida", "duvidas", "duvidoso", "incerto", "talvez", "nose", "nosesabe", "desconocido",
           "duda", "dudas", "dudoso", "quizas", "inconnu", "unbekannt")  # fmt: skip
"""Names that say that nobody knows the class."""
_YES = ("yes", "y", "sim", "s", "true", "1", "verdadeiro", "si", "oui", "ja")
_NO = ("no", "n", "nao", "false", "0", "falso", "non", "nein")
_YES_NO_COLUMNS = ("leak", "leakage", "vazamento", "fuga", "isleak", "hasleak", "fuite", "leck")


class MisspeltError(InputDataError):
    """Folders whose names mean NoLeak in another spelling."""

    def __init__(self, names: Iterable[str], where: str) -> None:
        self.names = sorted(set(names))
        given = " ".join(option(name, NO_LEAK) for name in self.names)
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
        for name in (chain[depth - 1].strip(), "/".join(chain[:depth]).strip()):
            if name in given:
                return given[name], name
    found = {name: label for name in chain if (label := _of_folder(name, where)) is not None}
    if not found and (unsure := [name for name in chain if "?" in name or plain(name) in _UNSURE]):
        raise InputDataError(
            f"{printable(where)}: the folder {printable(unsure[-1])} says that the class of its recordings is not "
            f"known: move it elsewhere, or give {option(unsure[-1], LEAK)} or =NoLeak"
        )
    if not found and (quiet := [name for name in chain if plain(name) in _QUIET]):
        raise MisspeltError(quiet, where)
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
    return LEAK if name.startswith(LEAK) or means_leak(name) else None


def means_leak(name: str) -> bool:
    """Tell whether a name means Leak in some spelling."""
    return of_cell(name, "", {}) == LEAK


def options(names: Iterable[str]) -> str:
    """Return the `--label` options that give names of unknown meaning the class that they probably mean, to be copied.

    A name that says nothing is given Leak, as the folder rule does.
    """
    return " ".join(option(name, _probable(name)) for name in names)


def option(name: str, label: str) -> str:
    """Return the option that gives a name a class, to be copied."""
    return f"--label {shlex.quote(f'{printable(name.strip())}={label}')}"


def _probable(name: str) -> str:
    text = plain(name)
    known = dict.fromkeys((*_NO_LEAK, *_NO_LEAK_WHOLE, *_QUIET), NO_LEAK) | dict.fromkeys(_LEAK, LEAK)
    near = get_close_matches(text, known, n=1)
    return known[near[0]] if near else LEAK


def means_no_leak(name: str) -> bool:
    """Tell whether a name means NoLeak in some spelling."""
    text = plain(name)
    return text.startswith(_NO_LEAK) or re.sub(r"\d+$", "", text) in _NO_LEAK_WHOLE or _denied(name)


def _denied(name: str) -> bool:
    """Tell whether a name begins with a negation and goes on with a word for a leak."""
    first, *rest = [plain(word) for word in re.split(r"[\W_]+", re.sub("[ºª°]", "#", name)) if word] or [""]
    denied = next((word for word in rest if word not in _BETWEEN), "")
    return first in _NEGATIONS and denied in _LEAK


def of_cell(text: str, column: str, given: Mapping[str, str]) -> str | None:
    """Return the label that a cell of a table means; None when that is in doubt. `column`: its heading."""
    if text in given:
        return given[text]
    value = re.sub(r"^([01])[.,]0+$", r"\1", text.strip())
    if value in given:
        return given[value]
    if means_no_leak(value):
        return NO_LEAK
    if "?" in value:
        return None
    first = plain(re.split(r"[^\w]|_", value.strip())[0])
    if plain(value) in (*_LEAK, "l") or first in _LEAK:
        return LEAK
    return yes_no(value, column)


def names_a_class(name: str) -> bool:
    """Tell whether a folder's name speaks of the class of its recordings, known or not, and so of no place."""
    return of_cell(name, "", {}) is not None or plain(name) in (*_QUIET, *_UNSURE)


def yes_no(text: str, column: str) -> str | None:
    """Return the label that a cell means in a column that asks for yes or no; None where it is no such cell."""
    value = plain(re.sub(r"^([01])[.,]0+$", r"\1", text.strip()))
    if plain(column) not in _YES_NO_COLUMNS or value not in (*_YES, *_NO):
        return None
    return LEAK if value in _YES else NO_LEAK
