"""What a report consists of, whatever it is printed as."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Heading:
    """Begins a part of the report."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """One paragraph."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Names and their values, one a line."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """A table with a line of headings."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """A photo: its content (JPEG or PNG) and what it shows."""

    content: bytes
    kind: str
    """media type"""
    text: str


Block = Heading | Paragraph | Facts | Table | Picture


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    made: str
    """when it was made and from what, one line"""
    language: str
    brand: str
    logo: Picture | None
    blocks: list[Block] = field(default_factory=list)
