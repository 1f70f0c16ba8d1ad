"""Histories as people export them: long and wide, any separator, encoding and form of dates; text among numbers."""

import re
import tracemalloc
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leakear.dashboard.nights import reading
from leakear.dashboard.nights.cells import day_of, number, order_of
from leakear.dashboard.nights.reading import MOST, History, read
from leakear.edge.errors import InputDataError

FIRST = date(2023, 3, 1).toordinal()


def history(tmp_path: Path, text: str | bytes, **more: str) -> History:
    file = tmp_path / "levels.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    order = more.pop("order", "")
    return read(file, more, order)


def nights(found: History) -> dict[str, list[tuple[int, float]]]:
    """Logger → day of March 2023 and level."""
    return {
        logger: [(int(day) - FIRST + 1, float(level)) for day, level in zip(days, levels, strict=True) if day >= 0]
        for logger, days, levels in zip(found.loggers, found.days, found.levels, strict=True)
    }


EXPECTED = {"L1": [(1, 12.0), (2, 13.5), (14, 11.0)], "L2": [(1, 20.0), (14, 21.0)]}
LONG = """Logger ID,Reading date,Level (dB),Spread
L1,2023-03-01,12,3
L1,2023-03-02,13.5,2
L1,2023-03-14,11,
L2,2023-03-01,20,
L2,2023-03-02,---,
L2,2023-03-14,21,1
"""
ACROSS = "Serial;Site;01/03/2023;02/03/2023;13/03/2023;14/03/2023\nL1;Rua A;12;13,5;;11\nL2;Rua B;20;n/a;;21,0 dB\n"
DOWN = "Date\tL1\tL2\n1 Mar 2023\t12\t20\n2 Mar 2023\t13.5\t\n14 Mar 2023\t11\t21\n"


def dated(text: str, *others: str) -> bytes:
    """Write the three dates in another form."""
    for day, other in zip(("2023-03-01", "2023-03-02", "2023-03-14"), others, strict=True):
        text = text.replace(day, other)
    return text.encode()


def iso(text: str) -> bytes:
    return re.sub(r"(\d\d)/(\d\d)/(\d{4})", r"\3-\2-\1", text).encode()


FORMS = {
    "long": LONG.encode(),
    "long, byte order mark": b"\xef\xbb\xbf" + LONG.encode(),
    "long, UTF-16": LONG.replace(",", "\t").encode("utf-16"),
    "long, UTF-16 without mark": LONG.encode("utf-16-le"),
    "long, titles above": b"Night levels\nexported,2023-03-15\nDate of issue,2023-03-15,ok\n\n" + LONG.encode(),
    "long, Excel's own line": b"sep=;\r\n" + LONG.replace(",", ";").replace("\n", "\r\n").encode(),
    "long, quoted": re.sub(r"[^,\n]+", r'"\g<0>"', LONG).encode(),
    "long, without headings": LONG.partition("\n")[2].encode(),
    "long, times": dated(LONG, "2023-03-01T02:40:00Z", "2023-03-02 03:00", "2023-03-13 23:50:00"),
    "long, American": dated(LONG, "3/1/2023", "3/2/2023", "3/14/2023"),
    "long, points": dated(LONG, "01.03.23", "02.03.23", "14.03.23"),
    "long, days as spreadsheets count": dated(LONG, "44986", "44987", "44999"),
    "nights across, Windows-1252": ACROSS.replace("Serial", "Série").encode("cp1252"),
    "nights across, ISO": iso(ACROSS),
    "loggers across": DOWN.encode(),
    "loggers across, with words": DOWN.replace("L1\tL2", "L1 level\tL2 level").encode(),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_nights(tmp_path: Path, name: str) -> None:
    assert nights(history(tmp_path, FORMS[name])) == EXPECTED


def test_the_spread_stands_with_its_night(tmp_path: Path) -> None:
    found = history(tmp_path, LONG)
    assert found.spreads[0, :2].tolist() == [3.0, 2.0]
    assert np.isnan(found.spreads[0, 2])
    wide = "Date,L1 level,L1 spread\n" + "".join(f"2023-03-0{day},1{day},{day}\n" for day in range(1, 6))
    assert history(tmp_path, wide).spreads[0].tolist() == [1, 2, 3, 4, 5]


def test_what_is_left_out_is_counted_and_told(tmp_path: Path) -> None:
    rows = ("2023-03-01,12", "2023-03-01,11", "2023-03-02,text", "2023-03-03,", "never,4", "2023-03-04,-999")
    found = history(tmp_path, "logger,date,level\n" + "".join(f"L1,{row}\n" for row in rows))
    assert nights(found) == {"L1": [(1, 11.0)]}
    assert set(found.notes) == {
        "2 levels that are no number were left out.",
        "1 nights without a level were left out.",
        "1 rows without a date or a logger were left out.",
        "1 further readings of the same night were left out: the lowest counts.",
    }


def test_a_file_of_one_logger_is_named_after_the_file(tmp_path: Path) -> None:
    assert nights(history(tmp_path, "date,level\n2023-03-01,12\n2023-03-02,13\n")) == {"levels": [(1, 12.0), (2, 13.0)]}


def test_a_column_of_names_is_the_logger_whatever_its_heading(tmp_path: Path) -> None:
    rows = "".join(f"{name};0{day}/03/2023;1{day},5;3,0\n" for name in ("Rua A", "Rua B") for day in range(1, 8))
    found = history(tmp_path, f"Leitor;Data;Nível (dB);Amplitude\n{rows}")
    assert {name: len(of_one) for name, of_one in nights(found).items()} == {"Rua A": 7, "Rua B": 7}


def test_rows_that_repeat_their_dates_are_not_taken_for_a_column_a_logger(tmp_path: Path) -> None:
    rows = "".join(f"{name};{day:02d}/03/2023;1{day % 10},5;3,0\n" for name in (71, 72, 73) for day in range(1, 15))
    text = f"Leitor;Data;Nível (dB);Amplitude\n{rows}"
    with pytest.raises(InputDataError, match=r"levels\.csv has several rows of 01/03/2023, .* --logger"):
        history(tmp_path, text)
    assert {name: len(of_one) for name, of_one in nights(history(tmp_path, text, logger="Leitor")).items()} == {
        "71": 14, "72": 14, "73": 14,
    }  # fmt: skip


def test_columns_can_be_named(tmp_path: Path) -> None:
    text = "A,B,C,level\nL1,2023-03-01,12,99\n"
    assert nights(history(tmp_path, text, logger="a", date="B", level="C")) == {"L1": [(1, 12.0)]}
    with pytest.raises(InputDataError, match="no row of headings with X"):
        history(tmp_path, text, level="X")


def test_an_uncertain_order_of_day_and_month_is_told_and_can_be_set(tmp_path: Path) -> None:
    text = "logger,date,level\n" + "".join(f"L1,{day:02d}/03/2023,1{day % 10}\n" for day in range(1, 8))
    found = history(tmp_path, text)
    assert [day for day, _ in nights(found)["L1"]] == list(range(1, 8))
    assert any("day before month was assumed (--date-order)" in note for note in found.notes)
    assert len(nights(history(tmp_path, text, order="mdy"))["L1"]) == 7
    assert not history(tmp_path, text, order="mdy").notes


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04rest", "is a workbook: save the sheet as CSV"),
        (b"a,b\n1,2\n", "has no column of dates that can be read"),
        (b"logger,date,level\nL1,2023-03-01,none\n", "holds no night level that can be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_one_sentence(tmp_path: Path, text: bytes, sentence: str) -> None:
    with pytest.raises(InputDataError, match=rf"levels\.csv .*{sentence}"):
        history(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("12,5", 12.5), ("-48.25", -48.25), ("−48,25 dBFS", -48.25), ("<5", 5), ("1 dB", 1), (".5", 0.5),
     ("12 units", 12),
     ("", None), ("n/a", None), ("--", None), ("999", None), ("12 Mar", None), ("NaN", None), ("1e5", None)],
)  # fmt: skip
def test_numbers(text: str, value: float | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    "text",
    ["2023-03-14", "2023/3/14", "20230314", "14/03/2023", "14.3.23", "14-Mar-2023", "14 mars 2023", "Mar 14, 2023",
     "14 de março de 2023", "2023-03-14T03:15:00.000Z", "14/03/2023 03:15", "Tue 14/03/2023", "13/03/2023 23:59",
     "13/03/2023 11:59 PM", "44999"],
)  # fmt: skip
def test_dates(text: str) -> None:
    assert day_of(text, "dmy") == FIRST + 13


def test_the_order_that_more_dates_have_is_taken() -> None:
    assert order_of(["03/01/2023", "03/13/2023"]) == ("mdy", False)
    assert order_of(["01/03/2023", "13/03/2023"]) == ("dmy", False)
    assert order_of(["03/01/2023", "03/02/2023", "03/03/2023"])[0] == "mdy"


WORDS = ["date", "logger", "level", "L1", "2023-03-01", "1/2/2023", "12", "-3,5", "", '"', "sep=;"]
CELLS = st.one_of(st.sampled_from(WORDS), st.text(max_size=6))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.lists(CELLS, max_size=6), max_size=8), st.sampled_from([",", ";", "\t"]))
def test_no_file_ends_in_anything_but_a_sentence(tmp_path: Path, rows: list[list[str]], separator: str) -> None:
    text = "\n".join(separator.join(row) for row in rows)
    try:
        found = history(tmp_path, text.encode("utf-8", "replace"))
    except InputDataError:
        return
    assert np.isfinite(found.levels).any()
    assert (np.isfinite(found.levels) == (found.days >= 0)).all()


@pytest.mark.parametrize("cell", ["<{}x", "1{}x", "2023-03-01{}x", "a {} a"])
def test_a_long_cell_is_no_number_and_no_date(tmp_path: Path, cell: str) -> None:
    """Each of these took the square of its length: a file of 100 kB, minutes."""
    long = cell.format(" a" * 60_000 if "a" in cell else " " * 120_000)
    found = history(tmp_path, f"logger,date,level,{long}\nL1,2023-03-01,12,\nL1,{long},1,\nL1,2023-03-02,{long},\n")
    assert nights(found) == {"L1": [(1, 12.0)]}


def test_one_long_history_beside_many_short_ones_is_refused(tmp_path: Path) -> None:
    """All are judged in one array: 1.4 MB would have taken 14 GiB."""
    long = [f"X,{date.fromordinal(day)},10" for day in range(FIRST - 5000, FIRST)]
    short = [f"L{n},2023-03-01,10" for n in range(MOST // 5000)]
    with pytest.raises(InputDataError, match="4001 loggers and up to 5000 nights of one: export fewer"):
        history(tmp_path, "\n".join(["logger,date,level", *long, *short]))


def test_a_large_file_is_read_without_keeping_its_cells(tmp_path: Path) -> None:
    """Of each reading 32 bytes stay, beside the text of the file."""
    days = [date.fromordinal(FIRST + n).isoformat() for n in range(300)]
    text = "logger,date,level,spread\r\n" + "".join(f"L{n},{day},{n % 40}.5,2\r\n" for n in range(100) for day in days)
    path = tmp_path / "large.csv"
    path.write_bytes(text.encode())
    read(path)  # numbers and dates are cached from here on
    tracemalloc.start()
    try:
        found = read(path)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.levels.shape == (100, 300)
    assert most < 10 * len(text), f"{most / len(text):.1f} times the file"


def test_lines_may_end_in_any_way_and_cells_may_hold_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "ends.csv"
    for end in ("\n", "\r\n", "\r"):
        lines = ["logger,date,level", *(f"A,2023-03-0{n},{n}" for n in range(1, 8)), '"B\nC",2023-03-01,9']
        path.write_bytes(end.join(lines).encode())
        found = read(path)
        assert (found.loggers, found.levels[0].tolist(), found.levels[1, 0]) == (
            ("A", "B\nC"),
            [1, 2, 3, 4, 5, 6, 7],
            9,
        )


def test_more_readings_than_are_judged_together_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST", 5)
    path = tmp_path / "many.csv"
    path.write_text("logger,date,level\n" + "".join(f"A,2023-03-0{n},{n}\n" for n in range(1, 8)))
    with pytest.raises(InputDataError, match="holds over 5 night levels"):
        read(path)
