"""What a file's name and its metadata say of place and time. All of it is a guess that a person should check.

Sources: EBU Tech 3285 (bext), iXML 3, RIFF INFO, comments of AudioMoth firmware 1.
"""

import re
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from leakear.edge.texts import plain
from leakear.train.data.collection import labels

_DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])"
    r"(?:[-_.T h]{0,3}([01]\d|2[0-3])[-_.:h]?([0-5]\d))?(?!\d{3})"
)
_MOTH = re.compile(r"at (\d\d:\d\d:\d\d) (\d\d)/(\d\d)/(\d{4}) \(UTC([+-]\d+)?\) by (AudioMoth \w+)")
_RECORDER = frozenset(
    ("aud", "audio", "aufnahme", "clip", "gravacao", "grabacion", "memo", "neue", "new", "nota", "note", "nova", "novo",
     "nueva", "ptt", "rec", "record", "recording", "sound", "sprachmemo", "voice", "wa", "wav", "whatsapp", "zoom",
     "as", "at", "copia", "copy", "kopie", "recorder", "sem", "titulo", "unbenannt", "untitled", "voz")
)  # fmt: skip
"""Words with which telephones and recorders name what they record: they say nothing of the place."""
_NUMBER = ("n", "no", "nr", "num", "numero", "number")
"""Words before a running number."""
_LARGEST = 1 << 20


@dataclass(frozen=True)
class Guess:
    """Where and when a recording was made, as far as can be guessed."""

    date: str = ""
    """ISO 8601, with the time where it is known"""
    site: str = ""
    device: str = ""
    """Name of the recorder."""


def guesses(paths: Sequence[Path], data: Path) -> list[Guess]:
    """Guess date and site of each recording of a data folder."""
    found = [_of_file(path) for path in tqdm(paths, "reading", unit="file", leave=False, disable=None)]
    stems = [_place_in_name(path.stem) for path in paths]
    often = {stem for stem, count in Counter(stems).items() if 1 < count < len(paths) and stem}
    return [
        Guess(guess.date, _site(path.relative_to(data).as_posix(), stem if stem in often else "", guess), guess.device)
        for path, stem, guess in zip(paths, stems, found, strict=True)
    ]


def _site(name: str, stem: str, guess: Guess) -> str:
    """Return the folder below the class folder, else what the names share, else the recorder."""
    folders = [folder.strip() for folder in PurePosixPath(name).parts[1:-1] if not labels.names_a_class(folder)]
    return folders[-1] if folders else stem or guess.device


def _place_in_name(stem: str) -> str:
    """Return a name without its date and its running number."""
    text = _DATE.sub(" ", stem)
    words = [word for word in re.split(r"[\s_\-.()]+", text) if word and not word.isdigit()]
    while words and plain(words[-1].replace("º", "").replace("°", "")) in _NUMBER:
        words.pop()
    if all(plain(word).rstrip("0123456789") in _RECORDER for word in words):
        return ""
    return "-".join(words) if re.search(r"\d", stem) else ""


def date_in_name(name: str) -> str:
    """Return the date, with the time where it is there, that a file name holds; empty: none."""
    found = _DATE.search(name)
    return _iso(*found.groups()) if found else ""


def _iso(year: str, month: str, day: str, hour: str | None, minute: str | None) -> str:
    return f"{year}-{month}-{day}" + (f"T{hour}:{minute}" if hour else "")


def _of_file(path: Path) -> Guess:
    try:
        chunks = _chunks(path)
    except OSError:
        chunks = {}
    comment = " ".join(_info(chunks.get(b"LIST", b"")))
    if moth := _MOTH.search(comment):
        clock, day, month, year, _, device = moth.groups()
        return Guess(f"{year}-{month}-{day}T{clock}", device=device)
    device = chunks.get(b"bext", b"")[256:288].split(b"\0")[0].decode("ascii", "replace").strip()
    dates = (_bext(chunks.get(b"bext", b"")), date_in_name(_ixml(chunks.get(b"iXML", b""))), date_in_name(path.stem),
             date_in_name(comment))  # fmt: skip
    return Guess(next((date for date in dates if date), ""), device=device)


def _bext(data: bytes) -> str:
    date, clock = data[320:330].decode("ascii", "replace"), data[330:338].decode("ascii", "replace")
    found = re.match(r"(\d{4})\D(\d\d)\D(\d\d)", date)
    when = re.match(r"(\d\d)\D(\d\d)\D(\d\d)", clock)
    if not found or found[1] == "0000":
        return ""
    return "-".join(found.groups()) + (f"T{':'.join(when.groups())}" if when else "")


def _ixml(data: bytes) -> str:
    found = re.search(rb"<BWF_ORIGINATION_DATE>([^<]*)<", data)
    return found[1].decode("ascii", "replace") if found else ""


def _info(data: bytes) -> list[str]:
    """Return the texts of a LIST chunk of type INFO."""
    texts, at = [], 4
    while data[:4] == b"INFO" and at + 8 <= len(data):
        (size,) = struct.unpack_from("<I", data, at + 4)
        texts.append(data[at + 8 : at + 8 + size].split(b"\0")[0].decode("utf-8", "replace"))
        at += 8 + size + size % 2
    return texts


def _chunks(path: Path) -> dict[bytes, bytes]:
    """Return the metadata chunks of a WAV file, before and behind its samples."""
    found: dict[bytes, bytes] = {}
    with path.open("rb") as file:
        if file.read(4) not in (b"RIFF", b"RF64", b"BW64") or file.read(8)[4:] != b"WAVE":
            return {}
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name in (b"bext", b"iXML", b"LIST") and size <= _LARGEST:
                found.setdefault(name, file.read(size))
                file.seek(size % 2, 1)
            elif size > 1 << 31:
                break
            else:
                file.seek(size + size % 2, 1)
    return found
