"""Contrast of the page's colours, computed from its style sheet in both themes: WCAG 2.2, level AA."""

import re
from pathlib import Path

import pytest

from leakear.dashboard import i18n

SHEET = (Path(i18n.__file__).parent / "static" / "css" / "base.css").read_text(encoding="utf-8")
LOOKS = ("leak", "warning", "fault", "noisy", "ok", "gone")
TEXTS = [(ink, ground) for ink in ("text", "dim") for ground in ("bg", "surface", "raised")]
TEXTS += [(look, f"{look}-bg") for look in LOOKS] + [("leak-solid-ink", "leak-solid"), ("accent-text", "accent")]
TEXTS += [("leak", ground) for ground in ("surface", "raised", "leak-bg")] + [("text", "leak-bg"), ("dim", "leak-bg")]
TEXTS += [("accent", "surface"), ("fault", "fault-bg")]
SHAPES = [(f"{look}-edge", "surface") for look in LOOKS] + [("focus", ground) for ground in ("bg", "surface", "raised")]
SHAPES += [("score", "surface"), ("level", "surface"), ("floor", "surface")]


def colours(theme: str) -> dict[str, tuple[float, float, float]]:
    """The variables of a theme as linear sRGB."""
    light, dark = (SHEET.split(start)[1].split("}")[0] for start in (":root {", ':root[data-theme="dark"] {'))
    text = light if theme == "light" else light + dark
    found = dict(re.findall(r"--([\w-]+): #([0-9a-f]{6})\b", text))
    return {name: tuple(linear(int(value[n : n + 2], 16) / 255) for n in (0, 2, 4)) for name, value in found.items()}  # type: ignore[misc]


def linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    bright, dark = sorted(
        (sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), c, strict=True)) for c in (one, other)), reverse=True
    )
    return (bright + 0.05) / (dark + 0.05)


def test_the_measure_itself() -> None:
    assert contrast((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)) == pytest.approx(21)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_have_4_5_and_shapes_3(theme: str) -> None:
    known = colours(theme)
    low = {
        f"{a} on {b}": round(contrast(known[a], known[b]), 2) for a, b in TEXTS if contrast(known[a], known[b]) < 4.5
    }
    low |= {
        f"{a} beside {b}": round(contrast(known[a], known[b]), 2) for a, b in SHAPES if contrast(known[a], known[b]) < 3
    }
    assert low == {}


def test_no_text_is_made_fainter_by_opacity() -> None:
    sheets = Path(i18n.__file__).parent / "static" / "css"
    faint = [
        line.strip() for path in sheets.glob("*.css") for line in path.read_text().splitlines() if "opacity: ." in line
    ]
    assert [line for line in faint if "canvas" not in line and not line.startswith(".plot ")] == []
