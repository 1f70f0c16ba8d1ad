"""Tables as spreadsheet programs and people write them: read where the meaning is not in doubt, else refused."""

import unicodedata
from pathlib import Path

import pytest

from leakear.edge.errors import InputDataError
from leakear.train.data import dataset
from leakear.train.data.collection import dates
from leakear.train.data.manifest import read
from tests.support.sounds import record

LEAKS = ["Gravações/Áudio 1.wav", "Gravações/Áudio 2.wav"]
DRY = ["b/n1.wav", "b/n2.wav"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in LEAKS + DRY:
        path = tmp_path / "rec" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"sound")
    return tmp_path / "rec"


def text(head: str, separator: str = ",", labels: tuple[str, str] = ("Leak", "NoLeak"), end: str = "\n") -> str:
    rows = [f"{name}{separator}{label}" for names, label in zip((LEAKS, DRY), labels, strict=True) for name in names]
    return end.join([head, *rows]) + end


def listed(data: Path, content: bytes) -> dict[str, str]:
    table = data.parent / "table.csv"
    table.write_bytes(content)
    recordings = dataset.listed(data, table).recordings
    assert all(recording.path.is_file() for recording in recordings)
    return {recording.name: recording.label for recording in recordings}


PLAIN = text("path,label")
TABLES = {
    "Excel's own line": text("sep=;\r\nArquivo;Vazamento", ";", ("Sim", "Não"), "\r\n").encode("cp1252"),
    "a title above": text("Campanha 2026;\r\n;\r\nFicheiro;Classe", ";", ("com fuga", "sem fuga")).encode("utf-8-sig"),
    "whole floats": text("file;leak", ";", ("1,0", "0,0")).encode(),
    "decomposed accents": unicodedata.normalize("NFD", PLAIN).encode(),
    "capital letters": PLAIN.upper().encode(),
    "copied with quotes": PLAIN.replace("b/n1.wav", '"""C:\\ana\\rec\\b\\n1.wav"""').encode(),
    "links": PLAIN.replace("b/", "file:///C:/ana/rec/b/").replace("Áudio ", "Áudio%20").replace("G", "file:///G").encode(),
    "names alone": PLAIN.replace("Gravações/", "").replace("b/", "").encode(),
    "names without ending": PLAIN.replace(".wav", "").encode(),
    "the folder's own name": PLAIN.replace("b/", "rec/b/").encode(),
    "Spanish": text("Nombre de archivo;Fuga", ";", ("sí", "no")).encode(),
    "French": text("fichier;fuite", ";", ("oui", "non")).encode("cp1252"),
    "UTF-32": PLAIN.encode("utf-32"),
    "filled up with zero bytes": PLAIN.replace("\n", "\0\n").encode(),
    "typographic quotes": PLAIN.replace("b/n1.wav", "\u201cb/n1.wav\u201d").encode(),
    "a formula for a link": PLAIN.replace("b/n1.wav", '"=HYPERLINK(""b/n1.wav"",""n1"")"').encode(),
    "Markdown": ("| " + PLAIN.replace(",", " | ").replace("\n", " |\n| ").replace("label |\n", "label |\n|---|:-:|\n"))
    .removesuffix("| ").encode(),
    "bars": PLAIN.replace(",", "|").encode(),
}  # fmt: skip


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_whose_meaning_is_not_in_doubt_is_read(data: Path, kind: str) -> None:
    assert listed(data, TABLES[kind]) == dict.fromkeys(LEAKS, "Leak") | dict.fromkeys(DRY, "NoLeak")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04" + bytes(50), "is a workbook: save the sheet as CSV"),
        (b"b/n1.wav,Leak\n", "needs columns `path` and `label`"),
        (b"path,label\nb/n1.wav,\n", "line 2: b/n1.wav has no label"),
        (b"path,label\nb/n1.wav,perhaps\n", "line 2: 'perhaps' in column label is neither"),
        (b'path,label\n"b/n1.wav,Leak\nb/n2.wav,Leak\n', "line 2: a quotation mark is opened there and not closed"),
        (b"path,label,leak\nb/n1.wav,NoLeak,1\n", "it is NoLeak by column label and Leak by column leak"),
        (b"path,label\nb/n1.wav,Leak\nb\\N1.WAV,NoLeak\n", "stands there as Leak and as NoLeak"),
        (b"path,label\n/x/b/n1.wav,Leak\n/y/b/n1.wav,Leak\n", "/x/b/n1.wav and /y/b/n1.wav both fit b/n1.wav"),
    ],
)
def test_a_table_in_doubt_is_refused_in_one_sentence(data: Path, content: bytes, said: str) -> None:
    with pytest.raises(InputDataError) as caught:
        listed(data, content)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_path_is_not_taken_for_a_file_of_another_folder(data: Path) -> None:
    (data / "n1.wav").write_bytes(b"other")
    (data / "c").mkdir()
    table = data.parent / "table.csv"
    table.write_text("path,label\nc/n1.wav,Leak\n")
    (recording,) = dataset.listed(data, table).recordings
    assert not recording.path.exists()
    assert recording.name == "c/n1.wav"


FORMS = {
    "semicolon": b"path;label\nLeak/a.wav;Leak\nNoLeak/b.wav;NoLeak\n",
    "tab in UTF-16": "path\tlabel\nLeak/a.wav\tLeak\nNoLeak/b.wav\tNoLeak\n".encode("utf-16"),
    "blank rows, comments, blanks": b"# mine\npath, label\n\n Leak/a.wav , leak\n,\nNoLeak/b.wav,NO LEAK\n,\n",
    "backslash and case": b"path,label\nLeak\\A.WAV,Leak\nNoLeak\\b.wav,NoLeak\n",
    "another machine": b"path,label\nC:\\Users\\ana\\Leak\\a.wav,Leak\nC:\\Users\\ana\\NoLeak\\b.wav,NoLeak\n",
    "Portuguese, Windows-1252": "Arquivo;Vazamento?;Observação\r\nLeak/a.wav;Sim;já\r\nNoLeak/b.wav;Não;\r\n".encode(
        "cp1252"
    ),
    "sep= and quoted line break": b'sep=;\r\nn;path;label\r\n"a\r\nb";Leak/a.wav;Leak\r\n;NoLeak/b.wav;NoLeak\r\n',
    "whole floats, twice": b"path,label,fold\nLeak/a.wav,Leak,1.0\nLeak/a.wav,Leak,1.0\nNoLeak/b.wav,NoLeak,2.0\n",
}


@pytest.mark.parametrize("kind", FORMS)
def test_a_table_is_read_as_a_spreadsheet_writes_it(tmp_path: Path, kind: str) -> None:
    record(tmp_path / "Leak" / "a.wav", leak=True)
    record(tmp_path / "NoLeak" / "b.wav", leak=False)
    (tmp_path / "t.csv").write_bytes(FORMS[kind])
    found = dataset.listed(tmp_path, tmp_path / "t.csv").recordings
    assert [(r.name, r.label) for r in found] == [("Leak/a.wav", "Leak"), ("NoLeak/b.wav", "NoLeak")]
    assert all(r.path.is_file() for r in found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,label\na.wav,Leak\na.wav,NoLeak\n", "as Leak and as NoLeak"),
        ("path,label\na.wav,1\n", "line 2: '1' in column label is neither"),
        ('path,label,n\na.wav,Leak,"x\ny"\nb.wav,maybe,\n', "line 4: 'maybe'"),
        ("PK\x03\x04", "save the sheet as CSV"),
    ],
)
def test_a_row_in_doubt_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputDataError, match=said):
        read(tmp_path / "t.csv")


def test_all_labels_of_unknown_meaning_are_named_at_once(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("path,label\na.wav,Leak\nb.wav,Vasamento\nc.wav,seco\nd.wav,seco\n", encoding="utf-8")
    with pytest.raises(InputDataError) as caught:
        read(table)
    assert "line 3: 'Vasamento', line 4: 'seco' (2 rows) in column label are neither Leak" in str(caught.value)
    assert "give --label Vasamento=Leak --label seco=NoLeak (exchange" in str(caught.value)
    assert len(read(table, given={"Vasamento": "Leak", "seco": "NoLeak"})) == 4


DATES = {
    "day first": (["13/02/2026", "01/03/26 14:05"], ["2026-02-13", "2026-03-01T14:05"]),
    "month first": (["02/13/2026", "3/1/2026 2:05 PM"], ["2026-02-13", "2026-03-01T14:05"]),
    "German": (["13.2.2026", "1.3.2026"], ["2026-02-13", "2026-03-01"]),
    "months by name": (["13-fev-2026", "1 March 2026"], ["2026-02-13", "2026-03-01"]),
    "numbers of a spreadsheet": (["46066", "46082,5"], ["2026-02-13", "2026-03-01"]),
    "ISO 8601": (["2026-02-13T10:00:00Z", "2026/3/1"], ["2026-02-13T10:00", "2026-03-01"]),
    "no dates": (["yesterday", "31/02/2026"], ["yesterday", "31/02/2026"]),
}


@pytest.mark.parametrize("kind", DATES)
def test_dates_become_iso_8601(kind: str) -> None:
    written, wanted = DATES[kind]
    found, remarks = dates.as_iso([*written, None])
    assert found == [*wanted, None]
    assert remarks == (
        ["not understood as a date and kept as written: 'yesterday' and 1 more"] if kind == "no dates" else []
    )


def test_it_is_said_where_day_or_month_may_be_first(data: Path) -> None:
    table = data.parent / "table.csv"
    table.write_text("path,label,date\nb/n1.wav,Leak,02/03/2026\nb/n2.wav,NoLeak,05/05/2026\n")
    found = dataset.listed(data, table)
    assert [r.date for r in found.recordings] == ["2026-03-02", "2026-05-05"]
    assert found.lines[-1] == "dates such as 02/03/2026 are read as day/month/year"


def test_the_table_of_a_technician_is_read_and_what_was_not_used_is_told(tmp_path: Path) -> None:
    for name in ("vazamentos prédio/Gravação 1.m4a", "ok/Gravação 2.wav", "ok/3.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    table = tmp_path / "t.csv"
    table.write_bytes(
        "Nº;Arquivo;Situação;Endereço;Data;Observações\r\n1;Gravação 1.m4a;vazamento;Praça da Sé;01/03/2026;\r\n"
        "2;Gravação 2.wav;não há vazamento;Av. Brasil 15;13/03/2026;às 2h\r\n3;;vazamento;Av. Brasil 15;;não gravei\r\n"
        ";;;;;\r\n".encode("cp1252")
    )
    found = dataset.listed(tmp_path, table)
    assert [(r.label, r.site) for r in found.recordings] == [("NoLeak", "Av. Brasil 15"), ("Leak", "Praça da Sé")]
    assert found.lines[2:] == [
        "columns read: Arquivo as path, Situação as label, Endereço as site, Data as date; not used: Nº, Observações",
        "1 row without a recording left out: line 4",
        "1 sound file without a row in the table not used: ok/3.wav",
    ]


def test_a_heading_that_is_missing_is_named(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("Arquivo;Parecer\na.wav;Leak\n")
    with pytest.raises(InputDataError, match=r"has Arquivo, Parecer: call that of the class label$"):
        read(table)


def test_a_table_that_has_no_end_is_refused() -> None:
    with pytest.raises(InputDataError, match="/dev/zero cannot be read: Not a file, but a device or pipe"):
        read(Path("/dev/zero"))
