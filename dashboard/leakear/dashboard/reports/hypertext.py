"""A report as one HTML page without scripts."""

import base64
from html import escape

from leakear.dashboard.reports.document import Block, Document, Facts, Heading, Paragraph, Picture, Table


def render_html(document: Document, *, sheet: str | None = None, style: str = "") -> str:
    """Return the page. `sheet`: address of its style sheet; `style`: rules that are written into it instead."""
    look = f'<link rel="stylesheet" href="{escape(sheet)}">' if sheet else f"<style>{style}</style>"
    logo = _picture(document.logo, "logo") if document.logo else ""
    body = "\n".join(_block(block) for block in document.blocks)
    return (
        f'<!doctype html>\n<html lang="{escape(document.language)}">\n<head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(document.title)}</title>'
        f"{look}</head>\n<body>\n<header>{logo}<p>{escape(document.brand)}</p></header>\n<h1>{escape(document.title)}</h1>\n"
        f"<p>{escape(document.made)}</p>\n{body}\n</body>\n</html>\n"
    )


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h2>{escape(block.text)}</h2>"
    if isinstance(block, Paragraph):
        return f"<p>{escape(block.text)}</p>"
    if isinstance(block, Facts):
        rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in block.rows)
        return f"<dl>{rows}</dl>"
    if isinstance(block, Table):
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in block.head)
        rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in block.rows)
        return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    return f"<figure>{_picture(block)}<figcaption>{escape(block.text)}</figcaption></figure>"


def _picture(picture: Picture, name: str = "photo") -> str:
    data = base64.b64encode(picture.content).decode()
    return f'<img class="{name}" alt="{escape(picture.text)}" src="data:{picture.kind};base64,{data}">'
