"""Files of a person: read up to a size, text as other systems write it, headings however they are spelt, safe names."""

import codecs
import errno
import re
import stat
import unicodedata
from pathlib import Path

LARGEST = 16 << 20
"""Bytes of a text file that is a setting: configuration, password, JSON."""

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class TextError(ValueError):
    """Bytes that are not UTF-8 text; its text is the end of a sentence: "is …; save it as …"."""


def decode(data: bytes) -> str:
    """Decode UTF-8, without the byte order mark that Windows editors put first. Raises TextError."""
    if data.startswith(_UTF16) or b"\0" in data[:4]:
        raise TextError("is UTF-16 text; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise TextError(f"is not UTF-8 text (line {line}); save it as UTF-8") from None


def decode_table(data: bytes) -> str:
    """Decode a table as spreadsheets and loggers save it: UTF-8, UTF-16, UTF-32 or Windows-1252; nothing is refused.

    Single zero bytes, with which some loggers fill up, are dropped.
    """
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return data.decode("utf-32", errors="replace")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    begin = data[:200]
    if begin.count(0) > len(begin) / 4:
        order = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
        return data.decode(order, errors="replace")
    data = data.replace(b"\0", b"")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def is_workbook(data: bytes) -> bool:
    """Whether a file is a spreadsheet program's own, which no CSV reader can read."""
    return data[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


def plain(text: str) -> str:
    """Return a heading in lower case, without accents and without anything but letters and digits."""
    parts = unicodedata.normalize("NFKD", text).casefold()
    return re.sub(r"[\W_]+", "", "".join(c for c in parts if not unicodedata.combining(c)))


def content(path: str | Path, largest: int, *, pipes: bool = False) -> bytes:
    """Return the bytes of a file that a person named. Raises OSError.

    That includes a file of more than `largest` bytes, and what has no end: a device, and, without `pipes`, a pipe.
    """
    mode = Path(path).stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or (pipes and stat.S_ISFIFO(mode))):
        raise OSError(errno.EINVAL, "Not a file, but a device or pipe", str(path))
    with Path(path).open("rb") as source:
        data = source.read(largest + 1)
    if len(data) > largest:
        raise OSError(errno.EFBIG, f"Larger than {largest >> 10} KiB", str(path))
    return data


def read(path: Path, *, pipes: bool = False) -> str:
    """Read a whole text file of at most `LARGEST` bytes; line ends stay as they are. Raises OSError, or TextError.

    `pipes`: whether it may be a pipe.
    """
    return decode(content(path, LARGEST, pipes=pipes))


def printable(name: str | Path) -> str:
    r"""Return a name without anything that a terminal or a table would act on: control characters become \xNN."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(name))


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 recording`, `2 recordings`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
