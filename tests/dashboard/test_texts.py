"""The page speaks two languages completely, and needs nothing from elsewhere."""

import re
from pathlib import Path

import pytest

from leakear.dashboard import i18n
from leakear.dashboard.history import event_row
from leakear.dashboard.notify import wording
from leakear.edge.health import FAULTS
from leakear.edge.messages import STATES, Event, ModelRef, utc_text, uuid7

STATIC = Path(i18n.__file__).parent / "static"
SCRIPTS = "\n".join(path.read_text() for path in sorted((STATIC / "js").glob("*.js")))
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
    assert same <= {"state.OK", "material.Metal", "fact.firmware"}


def test_every_text_that_the_page_asks_for_exists() -> None:
    asked = set(re.findall(r"""\bt\("([a-z][\w.\-]*)\"""", SCRIPTS))
    assert len(asked) > 50
    assert asked <= set(ENGLISH), sorted(asked - set(ENGLISH))


def test_every_state_and_fault_has_a_word() -> None:
    faults = {*FAULTS, "no_frames", "no_device"}
    assert {f"state.{name}" for name in STATES} | {f"fault.{name}" for name in faults} <= set(ENGLISH)


def test_the_page_asks_nobody_else_for_anything() -> None:
    """No CDN, no fonts, no analytics: it works on a network that reaches nothing."""
    for path in STATIC.rglob("*"):
        if path.is_file():
            addresses = re.findall(r"https?://[\w./-]+", path.read_text())
            assert set(addresses) <= {"http://www.w3.org/2000/svg"}, path


def test_the_page_never_makes_markup_of_text() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", SCRIPTS)


def test_a_notification_names_place_state_and_address_in_the_site_s_language() -> None:
    event = Event(
        id=uuid7(), seq=1, site="centro", node="poço-1".replace("ç", "c"), kind="state", from_state="OK",
        to_state="LEAK", reason="Water runs.", window_start=utc_text(0), window_end=utc_text(10), score=0.97,
        level_dbfs=-40.0, model=ModelRef(id="m", sha256="0" * 64),
    )  # fmt: skip
    title, body = wording(event_row(event, 0.0), "https://leaks.example/", i18n.texts("pt-BR"))
    assert title == "leakear: Vazamento: centro / poco-1"
    assert body.splitlines() == [
        "Water runs.", "Pontuação 0.97", "Nível -40.0 dBFS", "https://leaks.example/node/centro/poco-1"
    ]  # fmt: skip
