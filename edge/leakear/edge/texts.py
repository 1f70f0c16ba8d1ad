"""Text files as other systems write them, headings however they are spelt, and names that are safe to print."""

import codecs
import re
import unicodedata
from pathlib import Path

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
    """Decode a table as spreadsheets and loggers save it: UTF-8, UTF-16 or Windows-1252; nothing is refused."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data[:200]:
        order = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
        return data.decode(order, errors="replace")
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


def read(path: Path) -> str:
    """Read a whole text file; line ends stay as they are. Raises OSError, or TextError."""
    return decode(path.read_bytes())


def printable(name: str | Path) -> str:
    r"""Return a name without anything that a terminal or a table would act on: control characters become \xNN."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(name))


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 recording`, `2 recordings`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
