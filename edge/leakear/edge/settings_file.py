"""The configuration as text: the annotated example, what is in force, and keys set in a file that a person wrote."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from leakear.edge.errors import ConfigError
from leakear.edge.fields import rule_of
from leakear.edge.files import write_whole
from leakear.edge.model import bundle
from leakear.edge.model.tflite import FACTORY
from leakear.edge.options import default_of, describe
from leakear.edge.settings import ENVIRONMENT, SECTIONS, Settings


def toml(value: Any) -> str:
    """Write one value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(item) for item in value)}]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)


def annotated() -> Iterator[str]:
    """Yield the lines of the example configuration: every key with its default, unit, limits and effect."""
    yield "# leakear node configuration. Every key is shown with its default; a # before a key leaves it at that. What"
    yield "# the model file says of [decision] goes before its defaults: shown is what the factory model says."
    yield f"# An environment variable {ENVIRONMENT}_SECTION_KEY overrides a key. Check: leakear-edge config check FILE"
    models = bundle.read(FACTORY).info.decision
    for name, owner in SECTIONS.items():
        yield ""
        yield f"[{name}]  # {(owner.__doc__ or '').splitlines()[0].removeprefix(f'[{name}]:').strip()}"
        for declared in fields(owner):
            if rule_of(declared) is not None:
                yield from _annotated_key(declared, models if name == "decision" else {})


def _annotated_key(declared: "Field[Any]", models: Mapping[str, Any]) -> Iterator[str]:
    described = describe(declared)
    limits = "" if described.minimum is None else f" ({_plain(described.minimum)} to {_plain(described.maximum)})"
    limits = f" ({' | '.join(described.choices)})" if described.choices else limits
    yield f"# {described.doc}{limits}{'; from the model' if declared.name in models else ''}"
    yield f"#{declared.name} = {toml(models.get(declared.name, default_of(declared)))}"


def _plain(limit: float | None) -> str:
    """Write a limit as a person would: bytes in full."""
    return "any" if limit is None else str(int(limit)) if float(limit).is_integer() else f"{limit:g}"


def shown(settings: Settings) -> Iterator[str]:
    """Yield the lines of the configuration in force, secrets masked."""
    for name, owner in SECTIONS.items():
        yield f"[{name}]"
        section = getattr(settings, name)
        for declared in fields(owner):
            if rule_of(declared) is None:
                continue
            if name == "decision":
                unset = f"# {declared.name}: from the model"
                yield f"{declared.name} = {toml(section[declared.name])}" if declared.name in section else unset
            else:
                value = getattr(section, declared.name)
                masked = describe(declared).secret and value
                yield f'{declared.name} = "***"' if masked else f"{declared.name} = {toml(value)}"
        yield ""


def set_keys(config: Path, section: str, values: Mapping[str, str]) -> None:
    """Set keys in a configuration file, whose old text is kept beside it as .bak with the same mode and owner.

    `values`: key → its value as TOML text. Raises ConfigError, with the file untouched, when the result would be
    unusable.
    """
    old = config.read_text(encoding="utf-8-sig")
    new = with_keys(old, section, values)
    try:
        Settings.from_mapping(tomllib.loads(new), str(config))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{config}: not readable as TOML: {error}") from None
    backup = config.with_name(f"{config.name}.bak")
    write_whole(backup, old.encode(), like=config)
    write_whole(config, new.encode())


def with_keys(text: str, section: str, values: Mapping[str, str]) -> str:
    """Set keys of a section in TOML text; everything else, comments included, stays as it is."""
    lines = text.splitlines()
    heads = [number for number, line in enumerate(lines) if line.strip().startswith("[")]
    start = next(
        (number for number in heads if re.match(rf"""\s*\[\s*["']?{section}["']?\s*\]""", lines[number])), None
    )
    if start is None:
        lines += ["", f"[{section}]"]
        start = len(lines) - 1
    end = next((number for number in heads if number > start), len(lines))
    body = [line for line in lines[start + 1 : end] if re.split(r"\s*=", line.strip())[0] not in values]
    keys = [f"{key} = {value}" for key, value in values.items()]
    return "\n".join([*lines[: start + 1], *keys, *body, *lines[end:]]) + "\n"
