"""A report as PDF, A4, with numbered pages.

The letters are those of Bitstream Vera, which ReportLab brings along: all of English and Portuguese. Another letter (of
a note, for instance) is printed as a question mark and never as nothing.
"""

import io
from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import reportlab
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import CondPageBreak, Flowable, Image, KeepTogether, SimpleDocTemplate, Spacer, TableStyle
from reportlab.platypus import Paragraph as Text
from reportlab.platypus import Table as Grid

from leakear.dashboard.reports.document import Block, Document, Facts, Heading, Paragraph, Picture, Table

MARGIN = 18 * mm
WIDTH = A4[0] - 2 * MARGIN
PICTURE = WIDTH, 90 * mm
ROOM = 30 * mm
"""below a heading: with less it begins the next page, and a long table need not fit on one"""
NARROWEST, WIDEST = 10, 36
"""letters that a column of a table is reckoned with"""
LOGO = 60 * mm, 16 * mm
GREY = colors.HexColor("#566973")
LINE = colors.HexColor("#c9d4d9")


def render_pdf(document: Document) -> bytes:
    """Return the file."""
    letters = _letters()
    out = io.BytesIO()
    template = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN, bottomMargin=MARGIN,
        title=document.title, author=document.brand, lang=document.language, invariant=True,
    )  # fmt: skip
    story: list[Flowable] = [*_logo(document.logo), Text(_safe(document.brand, letters), _style(9, GREY))]
    story += [
        Text(_safe(document.title, letters), _style(17, bold=True, after=4)),
        Text(_safe(document.made, letters), _style(8, GREY, after=6)),
    ]
    for block in document.blocks:
        story += _block(block, letters)

    def number(canvas: Any, page: Any) -> None:
        canvas.setFont("Vera", 8)
        canvas.setFillColor(GREY)
        canvas.drawRightString(A4[0] - MARGIN, 10 * mm, str(page.page))

    template.build(story, onFirstPage=number, onLaterPages=number)
    return out.getvalue()


def _block(block: Block, letters: frozenset[int]) -> list[Flowable]:
    if isinstance(block, Heading):
        return [CondPageBreak(ROOM), Text(_safe(block.text, letters), _style(12, bold=True, before=12, after=3))]
    if isinstance(block, Paragraph):
        return [Text(_safe(block.text, letters), _style(9, after=3))]
    if isinstance(block, Facts):
        return [_grid([[name, value] for name, value in block.rows], [0.36 * WIDTH, 0.64 * WIDTH], letters)]
    if isinstance(block, Table):
        rows = [block.head, *block.rows]
        return [_grid(rows, _widths(rows), letters, head=True)]
    image = _image(block, *PICTURE)
    caption = Text(_safe(block.text, letters), _style(8, GREY, after=6))
    return [KeepTogether([Spacer(0, 4), image, caption])] if image else [caption]


def _widths(rows: Sequence[Sequence[str]]) -> list[float]:
    """Share the width of the page among the columns by their longest cells."""
    longest = [min(max(NARROWEST, *map(len, column)) + 2, WIDEST) for column in zip(*rows, strict=True)]
    return [WIDTH * letters / sum(longest) for letters in longest]


def _grid(rows: Any, widths: list[float], letters: frozenset[int], *, head: bool = False) -> Flowable:
    drawn = [
        [Text(_safe(cell, letters), _style(8, bold=head and n == 0)) for cell in row] for n, row in enumerate(rows)
    ]
    rules: Any = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
    ]
    given: Any = {"repeatRows": int(head), "hAlign": "LEFT", "spaceBefore": 3, "spaceAfter": 4}
    return Grid(drawn or [[""]], colWidths=widths, style=TableStyle(rules), **given)


def _style(
    size: float,
    colour: Any = colors.black,
    *,
    bold: bool = False,
    before: float = 0,
    after: float = 0,
) -> ParagraphStyle:
    return ParagraphStyle(
        "text", fontName="Vera-Bold" if bold else "Vera", fontSize=size, leading=size * 1.35, textColor=colour,
        spaceBefore=before, spaceAfter=after, splitLongWords=True,
    )  # fmt: skip


def _logo(logo: Picture | None) -> list[Flowable]:
    image = _image(logo, *LOGO) if logo else None
    return [image] if image else []


def _image(picture: Picture, width: float, height: float) -> Flowable | None:
    """Return a picture that fits; None: it cannot be decoded."""
    try:
        across, down = ImageReader(io.BytesIO(picture.content)).getSize()
        scale = min(width / across, height / down)
        image = Image(io.BytesIO(picture.content), across * scale, down * scale)
    except Exception:  # noqa: BLE001 - a photo may hold anything, and the report counts more
        return None
    image.hAlign = "LEFT"
    return image


def _safe(text: str, letters: frozenset[int]) -> str:
    """Return a text as ReportLab's markup, of letters that the font has."""
    known = "".join(c if ord(c) in letters or c == "\n" else "?" for c in text)
    return escape(known, quote=False).replace("\n", "<br/>")


@cache
def _letters() -> frozenset[int]:
    """Register the fonts, once; return the code points that they have."""
    folder = Path(reportlab.__file__).parent / "fonts"
    fonts = [TTFont("Vera", str(folder / "Vera.ttf")), TTFont("Vera-Bold", str(folder / "VeraBd.ttf"))]
    for font in fonts:
        pdfmetrics.registerFont(font)
    return frozenset(fonts[0].face.charToGlyph) & frozenset(fonts[1].face.charToGlyph)
