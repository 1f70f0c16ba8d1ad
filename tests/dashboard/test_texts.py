"""Every text of the page and the server is translated; the page loads nothing from other sites."""

import ast
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import leakear.edge
from leakear.dashboard import i18n
from leakear.dashboard.alerting.wording import severity, wording
from leakear.dashboard.history import event_row
from leakear.edge.health.monitor import FAULTS
from leakear.edge.messages.reports import STATES, Event, ModelRef, utc_text, uuid7

STATIC = Path(i18n.__file__).parent / "static"
SCRIPTS = "\n".join(path.read_text() for path in sorted(STATIC.rglob("*.js")) if "vendor" not in path.parts)
ENGLISH = i18n.texts("en")


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_every_language_has_the_same_keys_and_the_same_values_in_its_texts(language: str) -> None:
    texts = i18n.texts(language)
    assert set(texts) == set(ENGLISH)
    for key, text in texts.items():
        assert text.strip()
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", ENGLISH[key])), key


def test_no_text_was_left_in_english() -> None:
    other = i18n.texts("pt-BR")
    same = {key for key, text in ENGLISH.items() if other[key] == text and not key.startswith("range.")}
    assert same <= {"state.OK", "material.Metal", "fact.firmware", "pipe.material.pvc", "pipe.material.pe"}


def test_every_text_key_of_the_page_exists() -> None:
    asked = set(re.findall(r"""\bt\("([a-z][\w.\-]*)\"""", SCRIPTS))
    assert len(asked) > 50
    assert asked <= set(ENGLISH), sorted(asked - set(ENGLISH))


def test_every_text_is_used() -> None:
    """By its key, or by one composed of a word and something else: `fault.${name}`, f"{key}.sure"."""
    sources = "\n".join([SCRIPTS, *(path.read_text() for path in sorted(STATIC.parent.rglob("*.py")))])
    written = set(re.findall(r"""["'`]([a-zA-Z][\w.\- ]*)["'`]""", sources))
    before = tuple(set(re.findall(r"""["'`]([a-z][\w.\-]*\.)\$?\{""", sources)))
    behind = tuple(set(re.findall(r"""\}(\.[\w.\-]+)["'`]""", sources)))
    assert "fault." in before
    assert ".sure" in behind
    unused = [key for key in ENGLISH if key not in written and not key.startswith(before) and not key.endswith(behind)]
    assert not unused, unused


def test_every_state_and_fault_has_a_text() -> None:
    faults = {*FAULTS, *documented_faults()}
    assert len(faults) > 25
    wanted = {f"state.{name}" for name in STATES} | {
        f"{kind}.{name}" for name in faults for kind in ("fault", "remedy")
    }
    assert wanted <= set(ENGLISH), sorted(wanted - set(ENGLISH))


def test_everything_that_the_audit_records_has_a_text() -> None:
    recorded = re.compile(r"""(?:record_action|\b_action|_note)\b[^"\n]*, "([a-z][a-z.-]+)\"""")
    sources = [path.read_text() for path in sorted((STATIC.parent).rglob("*.py"))]
    names = {name for source in sources for name in recorded.findall(source)}
    assert {"map.place", "pipe.add", "quiet-add", "verdict"} <= names
    assert {f"did.{name}" for name in names} <= set(ENGLISH)


def test_the_help_page_tells_the_remedy_of_every_documented_fault() -> None:
    (listed,) = re.findall(r"FAULTS = \[(.*?)\]", (STATIC / "help" / "help.js").read_text(), re.DOTALL)
    assert set(re.findall(r'"(\w+)"', listed)) == {*FAULTS, *documented_faults()}


def documented_faults() -> set[str]:
    """Names in the first column of the table of faults in docs/OPERATIONS.md."""
    text = (Path(__file__).parents[2] / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
    table = text.split("| fault | means | do |")[1].split("\n\n")[0]
    return {
        name
        for line in table.splitlines()
        for name in re.findall(r"`(\w+)`", line.split("|")[1] if "|" in line else "")
    }


SOURCES = [Path(i18n.__file__).parent, Path(str(leakear.edge.__file__)).parent]
COMPOSED = (
    "{db} dB above anything usual",  # nodes of version 0.1
    "{db} dB over the background",
    "sounds like a leak in {share} of the last {minutes} min, {db} dB",
    "a loud new sound, possibly a leak, in {share} of the last {minutes} min, {db} dB",
    "a very loud new sound that does not sound like a leak in {share} of the last {minutes} min, {db} dB",
    "went on for {minutes} min after WARNING, {db} dB",
    "the background of this place is not known yet",
    "began: ",
    "all channels carry the same sound",
    "what was set from afar no longer holds",  # nodes of version 0.1
    "a person accepted the present noise floor: what is usual",  # nodes of version 0.1
    "ended: ",
    "{state} ended",
    "{model} is in use again instead of {old}: asked ",
    "{model} stays in use, the trial of {new} is over: asked ",
    "No other model was in use here before: ",
    "Flow-like",
    "Quiet again",
    "No sound",
)
"""composed at run time, or used only by the demo"""
STORED_BY_0_1 = ("The node is silent although it never said goodbye", "The node is heard again.")
"""reasons of events that a database of 0.1 may contain"""


def literals(path: Path) -> Iterator[str]:
    """Yield every string of a module except docstrings; values of f-strings become x."""
    tree = ast.parse(path.read_text())
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (inner | bare):
            yield node.value


def test_every_translated_sentence_is_still_used_and_keeps_its_values() -> None:
    everything = {text for folder in SOURCES for path in folder.rglob("*.py") for text in literals(path)}
    assert len(everything) > 1000
    for language in i18n.LANGUAGES:
        for template, translation in i18n.sentences(language).items():
            assert re.findall(r"\{\w+\}", template) == re.findall(r"\{\w+\}", translation), "values keep their order"
            if not template.startswith((*COMPOSED, *STORED_BY_0_1)):
                wanted = re.compile("(.+?)".join(map(re.escape, re.split(r"\{\w+\}", template))))
                assert any(wanted.fullmatch(text) for text in everything), f"{template!r} is used nowhere"


@pytest.mark.parametrize(
    "name",
    [
        "fleet/silent_nodes",
        "evidence/fetch",
        "evidence/clips",
        "evidence/media",
        "alerting/notifier",
        "demo_fleet",
        "storing",
        "broker/commander",
        "broker/answers",
        "broker/connection",
        "pipes/description",
        "pipes/store",
        "pipes/locations",
        "pipes/recordings",
        "pipes/jobs",
        "pipes/worker",
        "pipes/certainty",
        "pages/pipes",
        "pages/operation/quiet",
        "quiet/calendar",
        "quiet/store",
        "broker/silence",
        "webhooks/sender",
        "locate/refusals",
    ],
)
def test_every_visible_sentence_of_the_server_is_translated(name: str) -> None:
    path = Path(i18n.__file__).parent / f"{name}.py"
    texts = {text for text in literals(path) if re.fullmatch(r"[A-Z][^{}]*\s\S+\s.*\.", text)}
    visible = {text for text in texts if "known" not in text and "There is no command" not in text}
    assert visible
    assert {text for text in visible if i18n.sentence(text, "pt-BR") == text} == set()


def test_a_nodes_reasons_are_translated() -> None:
    reasons = {
        "on 95% of the last 30 min": "em 95% dos últimos 30 min",
        "began: clipping, dc_offset; ended: stuck": "começou: saturação, nível DC; terminou: sinal travado",
        "WARNING ended": "fim de: Atenção",
        "sounds like a leak in 95% of the last 30 min, 6.2 dB over the background around 630 Hz (limit of this node "
        "2.4 dB); unlike everything heard here in 12 nights": "soa como vazamento em 95% dos últimos 30 min, 6,2 dB "
        "acima do som de fundo em torno de 630 Hz (limite deste nó: 2,4 dB); diferente de tudo o que se ouviu aqui em "
        "12 noites",
        "a loud new sound, possibly a leak, in 90% of the last 30 min, 8.1 dB over the background around 630 Hz (limit "
        "of this node 1.1 dB)": "um som novo e forte, talvez um vazamento, em 90% dos últimos 30 min, 8,1 dB acima do "
        "som de fundo em torno de 630 Hz (limite deste nó: 1,1 dB)",
        "a very loud new sound that does not sound like a leak in 100% of the last 30 min, 12.5 dB over the background "
        "around 630 Hz (limit of this node 1.1 dB)": "um som novo e muito forte, que não soa como vazamento, em 100% "
        "dos últimos 30 min, 12,5 dB acima do som de fundo em torno de 630 Hz (limite deste nó: 1,1 dB)",
        "went on for 15 min after WARNING; on 97% of the last 30 min": "continuou por 15 min depois de Atenção; "
        "em 97% dos últimos 30 min",
        "no_frames": "não chega som",
        "very loud and very sure for 60 s": "muito forte e muito seguro por 60 s",
        "Something new (95%).": "Something new (95%).",
    }
    assert {text: i18n.sentence(text, "pt-BR") for text in reasons} == reasons
    assert i18n.sentence("no_frames", "en") == "no sound arrives"
    assert i18n.sentence("began: no_frames", "en") == "began: no sound arrives"


def test_what_a_node_says_of_its_models_is_translated() -> None:
    said = {
        "b is on trial for 24 h beside a, which decides until then.": (
            "b está em teste por 24 h ao lado de a, que decide até lá."
        ),
        "b replaced a without a trial; it is watched for 168 h.": (
            "b substituiu a sem teste; fica em observação por 168 h."
        ),
        "a is in use again instead of b: asked on site.": "a está de novo em uso no lugar de b: pedido no local.",
        "a stays in use, the trial of b is over: asked from afar.": (
            "a continua em uso, o teste de b terminou: pedido à distância."
        ),
    }
    assert {text: i18n.sentence(text, "pt-BR") for text in said} == said


def test_the_page_loads_nothing_from_other_sites() -> None:
    """No CDN, no fonts, no analytics: it works on an isolated network."""
    files = [path for path in STATIC.rglob("*") if path.is_file() and "vendor" not in path.parts]
    assert {".js", ".css", ".html"} <= {path.suffix for path in files}
    for path in files:
        addresses = re.findall(r"https?://[\w./-]+", path.read_text())
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}, path


def test_the_page_never_renders_text_as_html() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", SCRIPTS)


def test_a_notification_has_site_state_and_address_in_the_language_of_choice() -> None:
    event = Event(
        id=uuid7(), seq=1, site="centro", node="poço-1".replace("ç", "c"), kind="state", from_state="OK",
        to_state="LEAK", reason="Water runs.", window_start=utc_text(0), window_end=utc_text(10), score=0.97,
        level_dbfs=-40.0, on_fraction=0.95, model=ModelRef(id="m", sha256="0" * 64),
    )  # fmt: skip
    title, body = wording(event_row(event, 0.0), "https://leaks.example/", "pt-BR")
    assert title == "leakear: Vazamento: centro / poco-1"
    assert body.splitlines() == [
        "Water runs.", "Certeza: soa como vazamento em 95% das últimas janelas, pontuação 0.97", "Nível -40.0 dBFS",
        i18n.texts("pt-BR")["alert.do.LEAK"], "Desde 1970-01-01 00:00 UTC", "https://leaks.example/node/centro/poco-1",
        "https://leaks.example/cases",
    ]  # fmt: skip
    over = event_row(replace(event, from_state="LEAK", to_state="OK", reason="quiet for 10 min"), 0.0)
    title, body = wording(over, None, "en")
    assert title == "leakear: All clear: centro / poco-1"
    assert body.splitlines() == ["quiet for 10 min", "It was: Leak.", "Since 1970-01-01 00:00 UTC"]
    assert [severity(rows) for rows in ([over], [event_row(event, 0.0), over])] == ["success", "failure"]


def test_values_are_found_as_a_regular_expression_would_find_them() -> None:
    some = random.Random(7)
    for _ in range(20_000):
        template = "".join(some.choice(["a", "b", "ab", "{x}", "."]) for _ in range(some.randint(1, 6)))
        text = "".join(some.choice("ab.") for _ in range(some.randint(0, 8)))
        parts = re.split(r"\{\w+\}", template)
        wanted = re.fullmatch("(.+?)".join(map(re.escape, parts)), text, re.DOTALL)
        assert i18n._values(parts, text) == (wanted.groups() if wanted else None), (template, text)


def test_a_hostile_sentence_takes_no_power_of_its_length() -> None:
    parts = ["", " dB over ", " dB over ", " dB over ", " in ", "!"]
    assert i18n._values(parts, " dB over " * 50_000 + "?") is None
    assert i18n._values(parts, "x" + " dB over " * 50_000 + "!") is None
    many = "; ".join(["no_frames"] * 5000)
    assert i18n.sentence(many, "pt-BR") == many
