"""The configuration file as text: keys are changed in place, however TOML writes them; secrets stay secret."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from leakear.edge import cli
from leakear.edge.errors import ConfigError
from leakear.edge.fields import declare
from leakear.edge.settings import SECTIONS, Settings
from leakear.edge.settings_file import annotated, set_keys, shown, toml, with_keys


def test_keys_are_set_and_everything_else_stays() -> None:
    text = (
        "# mine\n[node]\nsite = 'x'\n[decision]  # rule\nspan_s = 60\n# from which on\nthreshold = 0.5 # old\n\n"
        "[mqtt]\nhost = 'h'\n"
    )
    assert with_keys(text, "decision", {"threshold": 0.7, "level_gate_dbfs": -50.0}, "x") == (
        "# mine\n[node]\nsite = 'x'\n[decision]  # rule\nlevel_gate_dbfs = -50.0\nspan_s = 60\n# from which on\n"
        "threshold = 0.7\n\n[mqtt]\nhost = 'h'\n"
    )
    assert with_keys("[node]\n", "decision", {"threshold": 0.7}, "x") == "[node]\n\n[decision]\nthreshold = 0.7\n"


@pytest.mark.parametrize(
    "text",
    [
        "[ health ]\nclip_ratio = 0.01\n",
        "['health'] # mine\nclip_ratio = 0.01",
        '["health"]\n"accepted" = "old"\nclip_ratio = 0.01\n',
        "[health]\r\nclip_ratio = 0.01\r\naccepted = 'old'\r\n[mqtt]\r\nhost = 'h'\r\n",
        "health.clip_ratio = 0.01\n[mqtt]\nhost = 'h'\n",
        "health . accepted = 'old'\nhealth.clip_ratio = 0.01\n",
        "health = { clip_ratio = 0.01, accepted = 'old' } # one line\n[mqtt]\n",
        '[mqtt]\npassword = """\n[health]\n"""\n',
        "[mqtt]\nhost = 'h'",
        "",
    ],
)
def test_a_section_is_found_however_toml_lets_it_be_written(text: str) -> None:
    before = tomllib.loads(text)
    after = tomllib.loads(with_keys(text, "health", {"accepted": "now"}, "x"))
    assert after == before | {"health": before.get("health", {}) | {"accepted": "now"}}
    assert ("\r\n" in text) == ("\r\n" in with_keys(text, "health", {"accepted": "now"}, "x"))


def test_what_cannot_be_changed_safely_is_refused() -> None:
    text = r'["he\u0061lth"]'
    with pytest.raises(ConfigError, match=r'x: \[health\] is written in a way.*set accepted = "now" by hand'):
        with_keys(text, "health", {"accepted": "now"}, "x")
    with pytest.raises(ConfigError, match="x: not readable as TOML"):
        with_keys("[health\n", "health", {"accepted": "now"}, "x")


def test_an_unusable_result_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "leakear.toml"
    path.write_text("[health]\n")
    with pytest.raises(ConfigError, match="clip_ratio"):
        set_keys(path, "health", {"clip_ratio": 7}, lambda given: Settings.from_mapping(given, str(path), {}))
    assert [entry.name for entry in tmp_path.iterdir()] == ["leakear.toml"]
    assert path.read_text() == "[health]\n"


def test_a_rewritten_configuration_keeps_its_mode_its_owner_and_its_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "leakear.toml"
    real.write_text('[mqtt]\nusername = "pit-7"\npassword = "geheim"\n')
    real.chmod(0o600)
    owner = 65534 if os.geteuid() == 0 else os.geteuid()
    os.chown(real, owner, -1)
    link.symlink_to("real.toml")
    assert cli.main(["calibrate", "--config", str(link), "--accept-floor"]) == 0
    backup = tmp_path / "leakear.toml.bak"
    assert [(file.stat().st_mode & 0o777, file.stat().st_uid) for file in (real, backup)] == [(0o600, owner)] * 2
    assert link.is_symlink()
    assert "accepted" in real.read_text()
    assert "accepted" not in backup.read_text()
    assert {entry.name for entry in tmp_path.iterdir()} == {"real.toml", "leakear.toml", "leakear.toml.bak"}


def test_a_secret_is_neither_shown_nor_quoted_in_an_error() -> None:
    settings = Settings.from_mapping({"mqtt": {"username": "a", "password": "geheim"}}, environment={})
    assert "geheim" not in "\n".join(shown(SECTIONS, settings))
    with pytest.raises(ConfigError) as caught:
        Settings.from_mapping({"mqtt": {"password": ["geheim"]}}, environment={})
    assert "[mqtt] password = ***: must be a text" in str(caught.value)


@dataclass(frozen=True)
class Options:
    """[part]: some options."""

    limited: float = declare("a number", default=1.5, minimum=0, maximum=1_000_000)
    open_end: float = declare("another", default=2.0, minimum=0.25)
    free: int = declare("a third", default=3)
    kind: str = declare("a choice", default="a", choices=("a", "b"))
    names: tuple[str, ...] = declare("a list", default=("x", 'y"'))
    key: str = declare("a secret", default="", secret=True)


def test_the_example_names_limits_choices_and_defaults() -> None:
    assert list(annotated({"part": Options}, {}))[4:] == [
        "[part]  # some options.",
        "# a number (0 to 1000000)",
        "#limited = 1.5",
        "# another (0.25 to any)",
        "#open_end = 2.0",
        "# a third",
        "#free = 3",
        "# a choice (a | b)",
        '#kind = "a"',
        "# a list",
        '#names = ["x", "y\\""]',
        "# a secret",
        '#key = ""',
    ]


def test_only_a_secret_that_is_set_is_masked() -> None:
    lines = [list(shown({"part": Options}, SimpleNamespace(part=Options(key=key))))[6] for key in ("", "geheim")]
    assert lines == ['key = ""', 'key = "***"']


@pytest.mark.parametrize("value", [True, 3, -2.5, 'a "b" \\', ["x", 1, False], []])
def test_a_value_written_as_toml_is_read_as_itself(value: object) -> None:
    assert tomllib.loads(f"key = {toml(value)}")["key"] == value
