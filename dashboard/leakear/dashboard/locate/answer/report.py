"""The report: one HTML page with correlation, coherence, spectra and the position along the pipe."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from leakear.dashboard.locate import posterior
from leakear.dashboard.locate.answer import wording
from leakear.dashboard.locate.answer.curves import correlated
from leakear.dashboard.locate.answer.drawing import Axes, Line, chart, pipe_drawing
from leakear.dashboard.locate.locating import Heard, Location
from leakear.edge import __version__

STYLE = """
:root{color-scheme:light dark;--a:#0b63b5;--b:#b5480b;--soft:#8884;--band:#0b63b522}
@media(prefers-color-scheme:dark){:root{--a:#6db3f2;--b:#f2a36d;--band:#6db3f233}}
body{font:16px/1.5 system-ui,sans-serif;max-width:820px;margin:2em auto;padding:0 1em}
h1{font-size:1.4em}pre{white-space:pre-wrap;font:inherit}figure{margin:1.5em 0}figcaption{font-weight:600}
svg{width:100%;height:auto}text{fill:currentColor;font-size:12px}.tick{opacity:.75}.end{font-weight:700}
.line{fill:none;stroke-width:1.3}.line.a{stroke:var(--a)}.line.b{stroke:var(--b)}.line.soft{stroke:var(--soft)}
.grid{stroke:var(--soft);stroke-width:.6}.band{fill:var(--band)}.mark{stroke:var(--b);stroke-dasharray:4 3;fill:none}
.density{fill:var(--band);stroke:var(--a)}.pipe{fill:none;stroke:currentColor}
.most{fill:var(--a);opacity:.35}.half{fill:var(--a);opacity:.8}
.key{font-weight:400;margin-left:1em}.key::before{content:"—";font-weight:700;margin-right:.3em}
.key.a::before{color:var(--a)}.key.b::before{color:var(--b)}.key.soft::before{color:var(--soft)}
@media print{body{max-width:none;margin:0}}
"""


def page(location: Location, names: Sequence[str]) -> str:
    """Write the page. `names`: the files of the recordings."""
    answer = wording.text(location)
    title = answer.partition("\n")[0]
    figures = "".join(_figures(location)) if location.heard else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        f"<h1>{escape(title)}</h1><pre>{escape(answer.partition(chr(10))[2])}</pre>{figures}"
        f"<p>Recordings: {escape(', '.join(names))}. Positive delays: the sound reaches B later, so the source is "
        f"nearer to A. leakear {escape(__version__)}.</p></body></html>\n"
    )


def _figures(location: Location) -> list[str]:
    heard = location.heard[0]
    return [_pipe(location), _correlation(location, heard), _coherence(location, heard), _spectra(location, heard)]


def _pipe(location: Location) -> str:
    best, chances = location.best, location.probability
    assert best is not None
    assert chances is not None
    pipe = location.pipe
    marks = [(pump, "pump") for pump in pipe.pumps]
    if location.position is not None:
        marks.append((location.position.median, f"{location.position.median:.1f} m"))
        half, most = location.position.half, location.position.most
    else:
        half = most = (0.0, 0.0)
    return pipe_drawing(pipe.length, posterior.positions(pipe), chances, half, most, marks)


def _correlation(location: Location, heard: Heard) -> str:
    found, weighted = location.found, location.weighted
    assert found is not None
    assert weighted is not None
    ms, chosen, whole, possible = correlated(location, heard)
    top = max(float(np.abs(chosen).max()), location.required) * 1.1
    axes = Axes((ms[0], ms[-1]), (-top, top), "delay of B, ms", "standard deviations")
    marks = [(1000 * source.delay, f"{1000 * source.delay:.2f} ms") for source in location.sources]
    likely = weighted * (chosen[found.delay_index] / max(float(weighted[found.delay_index]), 1e-9))
    lines = [
        Line(ms, whole, "all bands", "soft"),
        Line(ms, likely, "maximum likelihood, scaled", "b"),
        Line(ms, chosen, "chosen band", "a"),
    ]
    return chart("Correlation (shaded: delays possible on this pipe)", axes, lines, marks, possible)


def _coherence(location: Location, heard: Heard) -> str:
    f = heard.spectra.frequency
    used = (f >= 15) & (f <= location.pipe.highest_hz)
    axes = Axes((15, location.pipe.highest_hz), (0, 1), "frequency, Hz", "coherence", logarithmic=True)
    lines = [Line(f[used], heard.spectra.coherence[used], "", "a")]
    return chart("Coherence (shaded: chosen band)", axes, lines, (), location.band_hz)


def _spectra(location: Location, heard: Heard) -> str:
    f = heard.spectra.frequency
    used = (f >= 15) & (f <= location.pipe.highest_hz)
    levels = 10 * np.log10(heard.spectra.density[:, used] + 1e-20)
    axes = Axes(
        (15, location.pipe.highest_hz), (float(levels.min()) - 3, float(levels.max()) + 3),
        "frequency, Hz", "dB re full scale² / Hz", logarithmic=True,
    )  # fmt: skip
    lines = [Line(f[used], levels[0], "A", "a"), Line(f[used], levels[1], "B", "b")]
    return chart("Power spectra", axes, lines, (), location.band_hz)
