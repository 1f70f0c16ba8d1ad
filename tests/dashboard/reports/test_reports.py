"""Reports on both databases: the PDF, read back, says what the HTML says; no table cell becomes a formula."""

import base64
import csv
import io
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar
from pypdf import PdfReader

from leakear.dashboard.cases.store import Cases
from leakear.dashboard.i18n import texts
from leakear.dashboard.quiet.calendar import by_hand
from leakear.dashboard.quiet.store import QuietTimes
from leakear.dashboard.reports.brand import Brand
from leakear.dashboard.reports.hypertext import render_html
from leakear.dashboard.reports.paper import render_pdf
from leakear.dashboard.reports.source import Source
from leakear.dashboard.reports.tables import TABLES, defused, table
from leakear.dashboard.reports.visits import calendar
from leakear.edge.errors import ConfigError, InputDataError
from leakear.edge.messages.reports import uuid7
from tests.dashboard.cases.test_case_page import picture
from tests.dashboard.quiet.place import KEY, Place, leak
from tests.support.printed import likeness, of_html, of_pdf, words

NOTE = "=SUM(A1) válvula <b>não</b> fecha & goteja; 漏"
MONTH = time.strftime("%Y-%m", time.gmtime())


@pytest.fixture
def case(engine: Any, tmp_path: Path) -> Any:
    """A case from alarm to repair."""
    place = Place(engine, tmp_path)
    place.store(leak(time.time() - 86400, 1))
    (one,) = place.cases.page("open")
    photo = base64.b64encode(picture()).decode()
    steps: list[tuple[str, dict[str, Any]]] = [
        ("assign", {"assigned_to": "João"}), ("visit", {"outcome": "found", "note": NOTE, "photo": photo}),
        ("repair", {"flow_low": 1.0, "flow_high": 2.5}),
    ]  # fmt: skip
    for what, given in steps:
        one = place.cases.change(one["id"], "ana", uuid7(), version=one["version"], what=what, given=given)
    return one


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_the_pdf_of_a_case_read_back_says_what_the_html_says(engine: Any, case: Any, language: str) -> None:
    made = Source(engine).case(case["id"], language, Brand("Águas do Norte"))
    assert made is not None
    paper, page = of_pdf(render_pdf(made)), of_html(render_html(made))
    assert words("Águas do Norte") in paper[:20], "after the page's number"
    without = page.replace("漏", "?")
    same = likeness(without, paper)
    assert same > 0.99, "but for numbers of pages"
    known = texts(language)
    for text in (known["outcome.found"], "João", known["case.water"], "válvula<b>não</b>fecha&goteja"):
        assert words(text) in paper
    assert "<b>não" not in render_html(made), "a note is never markup"
    (first, *_) = PdfReader(io.BytesIO(render_pdf(made))).pages
    assert [image.name for page in PdfReader(io.BytesIO(render_pdf(made))).pages for image in page.images], "the photo"
    assert first.mediabox.width == pytest.approx(595.3, abs=1)


def test_a_month_counts_alarms_cases_and_quiet_times(engine: Any, case: Any) -> None:
    quiet = QuietTimes(engine)
    quiet.add(*KEY, "irrigation", [by_hand("park", time.time() - 60, time.time() + 60, "UTC", "")], who="ana")
    care = {"problems": {"deaf": [["site-a", "pit-9", ""]]}, "versions": {"leakear 0.2": 3}}
    paper = of_pdf(render_pdf(Source(engine).month(MONTH, "en", Brand(), care)))
    for text in ("Month " + MONTH, "site-a / pit-1", "park", "site-a/pit-9", "a leak in 1 of 1", "leakear 0.2: 3"):
        assert words(text) in paper, text
    empty = of_pdf(render_pdf(Source(engine).month("2020-01", "pt-BR", Brand())))
    assert words("Nenhum.") in empty
    with pytest.raises(InputDataError, match="YYYY-MM"):
        Source(engine).month("2020-13", "en", Brand())


def test_no_cell_becomes_a_formula(engine: Any, case: Any) -> None:
    assert [defused(value) for value in ("=1+1", "+x", "-x", "@x", "\tx", -3.5, None, "a=b")] == [
        "'=1+1", "'+x", "'-x", "'@x", "'\tx", "-3.5", "", "a=b",
    ]  # fmt: skip
    for name in TABLES:
        head, *rows = csv.reader(io.StringIO(table(engine, name, (0.0, 1e12))))
        assert all(len(row) == len(head) for row in rows)
        assert name not in ("alarms", "cases") or len(rows) == 1
    with pytest.raises(InputDataError, match="no table"):
        table(engine, "users", (0.0, 1.0))


def test_open_visits_are_a_calendar(engine: Any, tmp_path: Path) -> None:
    place = Place(engine, tmp_path)
    place.store(leak(time.time(), 1))
    content = calendar(place.cases.page("open"), "https://leaks.example/", time.time())
    (event,) = Calendar.from_ical(content).walk("VEVENT")
    assert "site-a / pit-1" in str(event["SUMMARY"])
    assert str(event["URL"]).startswith("https://leaks.example/cases/")


def test_a_logo_must_be_a_picture(tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    logo.write_bytes(picture())
    assert Brand("x", logo).picture() is not None
    logo.write_text("no picture")
    with pytest.raises(ConfigError, match="/dev/zero cannot be read: Not a file, but a device or pipe"):
        Brand("x", Path("/dev/zero")).picture()
    with pytest.raises(ConfigError, match=r"logo\.png is no PNG"):
        Brand("x", logo).picture()


def test_one_command_writes_each_kind(tmp_path: Path) -> None:
    from leakear.dashboard.history.tables import open_database

    url = f"sqlite:///{tmp_path}/d.sqlite"
    engine = open_database(url)
    Cases(engine).open(KEY, "ana", "first")
    engine.dispose()
    base = [sys.executable, "-m", "leakear.dashboard.cli", "report"]
    for words_, file in (
        (["--month", MONTH], "m.pdf"),
        (["--language", "pt-BR"], "m.html"),
        (["--table", "cases"], "c.csv"),
    ):
        subprocess.run([*base, str(tmp_path / file), "--database", url, *words_], check=True, capture_output=True)
        assert (tmp_path / file).stat().st_size > 100
    wrong = subprocess.run(
        [*base, str(tmp_path / "x.doc"), "--database", url], check=False, capture_output=True, text=True
    )
    assert (wrong.returncode, "ends in .html, .pdf or .txt" in wrong.stderr) == (78, True)
