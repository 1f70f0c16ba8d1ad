"""`leakear-train manifest`: writes a table of recordings to fill in: path, label, site and date, guessed."""

import argparse
import csv
import io
import sys
from pathlib import Path

from leakear.edge.errors import InputDataError
from leakear.edge.texts import counted, printable
from leakear.train.data.collection import folders, labels, metadata
from leakear.train.runfolder import LABELS

HELP = """\
Write a table of the recordings in a folder, to fill in with any spreadsheet program. Label, site and date are guessed
from folders, names and what recorders write into WAV files (BWF, iXML, AudioMoth): check them. A label that cannot be
guessed is empty. The table is read back with --manifest, or as FOLDER/manifest.csv.

  leakear-train manifest recordings/ > manifest.csv
  leakear-train manifest recordings/ --separator ';' > manifest.csv     for a spreadsheet in German or Portuguese
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("data", type=Path, metavar="FOLDER", help="folder with recordings, in any folders below it")
    parser.add_argument("--separator", choices=(",", ";", "tab"), default=",", help="between the columns (,)")


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    if not args.data.is_dir():
        raise InputDataError(f"{printable(args.data)} is not a folder: give the folder that holds the recordings")
    paths = folders.sounds(args.data)
    if not paths:
        raise InputDataError(f"{printable(args.data)} holds no sound file ({', '.join(folders.SOUND_SUFFIXES)})")
    shown = sys.stdout.isatty()
    if not shown:
        _as_spreadsheets_read_it()
    writer = csv.writer(sys.stdout, delimiter="\t" if args.separator == "tab" else args.separator, lineterminator="\n")
    writer.writerow(["path", "label", "site", "date"])
    empty = {"label": 0, "site": 0}
    for path, guess in zip(paths, metadata.guesses(paths, args.data), strict=True):
        name = path.relative_to(args.data).as_posix()
        cells = [name, _label(name), guess.site, guess.date]
        writer.writerow([printable(cell) for cell in cells] if shown else cells)
        empty["label"] += not cells[1]
        empty["site"] += not guess.site
    fill = ", ".join(f"{column} of {count}" for column, count in empty.items() if count)
    fill = f"; fill in {fill}" if fill else ""
    print(f"leakear-train: {counted(len(paths), 'recording')}; check label and site of each{fill}", file=sys.stderr)
    return 0


def _as_spreadsheets_read_it() -> None:
    """Write UTF-8 in any locale, marked: without the mark a spreadsheet program takes it for Windows-1252."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.stdout.write("\ufeff")


def _label(name: str) -> str:
    """Return the class that the folders of a recording mean; empty where they do not say."""
    for folder in reversed(name.split("/")[:-1]):
        if folder.startswith(LABELS[0]) or labels.means_no_leak(folder):
            return LABELS[0]
        if labels.of_cell(folder, "", {}) == LABELS[1]:
            return LABELS[1]
    return ""
