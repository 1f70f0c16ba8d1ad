"""A report as plain text, for a mail."""

from leakear.dashboard.reports.document import Block, Document, Facts, Heading, Paragraph, Table


def render_text(document: Document) -> str:
    """Return the lines; pictures are left out."""
    lines = [document.title, document.brand, ""]
    for block in document.blocks:
        lines += _lines(block)
    return "\n".join([*lines, "", document.made, ""])


def _lines(block: Block) -> list[str]:
    if isinstance(block, Heading):
        return ["", block.text.upper()]
    if isinstance(block, Paragraph):
        return [block.text]
    if isinstance(block, Facts):
        return [f"{name}: {value}" for name, value in block.rows]
    if isinstance(block, Table):
        return ["- " + ": ".join(filter(None, row)) for row in block.rows]
    return []
