"""The words of a report, from its PDF and from its HTML, without spaces and line ends."""

import difflib
import io
import re
from html import unescape

from pypdf import PdfReader


def words(text: str) -> str:
    return re.sub(r"\s+", "", text)


def of_pdf(content: bytes) -> str:
    return words("".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages))


def of_html(text: str) -> str:
    body = re.sub(r"<style>.*?</style>|<title>.*?</title>", "", text, flags=re.DOTALL)
    return words(unescape(re.sub(r"<[^>]+>", " ", body)))


def likeness(one: str, other: str) -> float:
    """Share of two texts that is the same, 0 to 1."""
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()
