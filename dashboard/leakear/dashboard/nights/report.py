"""The page of `leakear-dashboard nights`: the ranking, and a chart for each of the first loggers."""

from collections.abc import Sequence
from html import escape

import numpy as np

from leakear.dashboard.locate.answer.drawing import Axes, Line, chart
from leakear.dashboard.locate.answer.report import STYLE
from leakear.dashboard.nights.ranking import Ranked, Ranking, cells, headline
from leakear.edge import __version__
from leakear.edge.texts import printable

_TABLE_STYLE = (
    ".wide{overflow-x:auto}td:nth-child(-n+5){white-space:nowrap}"
    "table{border-collapse:collapse}th,td{text-align:left;padding:.2em .8em .2em 0;border-bottom:1px solid var(--soft)}"
)
CHARTS = 24
"""loggers with a chart on the page"""


def page(ranking: Ranking, source: str) -> str:
    """Write the page: the ranking and a chart for each of the first loggers."""
    heads = ("Logger", "Since", "Last night", "Rise", "Level", "Spread", "How sure")
    rows = [cells(ranking, one) for one in ranking.rising]
    table = _table(heads, rows) if rows else ""
    charts = "".join(_chart(ranking, one) for one in ranking.rising[:CHARTS])
    notes = "".join(f"<li>{escape(note)}</li>" for note in ranking.history.notes)
    title = headline(ranking)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}{_TABLE_STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{table}<p>{escape(ranking.meaning)}</p>"
        f"{charts}<ul>{notes}</ul><p>Source: {escape(source)}. leakear {escape(__version__)}.</p></body></html>\n"
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _chart(ranking: Ranking, one: Ranked) -> str:
    nights = one.outlook.nights
    days = ranking.history.days[one.row, :nights].astype(np.float64)
    levels = ranking.history.levels[one.row, :nights]
    last = days[-1]
    low, high = float(levels.min()), float(levels.max())
    axes = Axes(
        (min(days[0] - last, -1.0), 0.0), (low - 1, high + 1), f"nights before {ranking.day(one, nights - 1)}", "level"
    )
    marks = [(float(days[rise.since] - last), str(ranking.day(one, rise.since))) for rise in one.outlook.rises]
    return chart(printable(one.logger), axes, [Line(days - last, levels, "", "a")], marks)
