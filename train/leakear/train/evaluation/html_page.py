"""Parts of a report: one HTML page that needs no other file."""

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { margin-bottom: 0 } h2 { margin-top: 2.2rem; border-bottom: 1px solid #ddd }
table { border-collapse: collapse } td, th { padding: .2rem .9rem .2rem 0; text-align: left; vertical-align: top }
th { color: #666; font-weight: 600 } td.n { text-align: right; font-variant-numeric: tabular-nums }
img { max-width: 100% } .row { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0; width: 19rem }
figcaption { font-size: .8rem; overflow-wrap: anywhere } .note { color: #666 }
pre { background: #f6f6f6; padding: .8rem; overflow-x: auto }
"""


def head(title: str) -> str:
    """Return the beginning of a page."""
    text = html.escape(title)
    start = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{text}</title><style>{_STYLE}</style>'
    return f"{start}<h1>{text}</h1>"


def section(title: str, body: str) -> str:
    """Return a section; `body` is HTML."""
    return f"<h2>{html.escape(title)}</h2>\n{body}"


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table of texts."""
    heads = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{heads}</tr>{lines}</table>"


def image(figure: Figure) -> str:
    """Return a picture, within the page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
