"""The configuration as TOML text: read and checked, changed key by key, written as an annotated example, shown.

Knows no section by itself: `settings` passes its table, section name → dataclass of options.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias, get_origin

from leakear.edge import files, texts
from leakear.edge.errors import ConfigError
from leakear.edge.fields import Declared, FieldError, check_fields, declared

ENVIRONMENT = "LEAKEAR"
"""Beginning of the environment variables that override keys: LEAKEAR_SECTION_KEY."""
Sections: TypeAlias = Mapping[str, type[Any]]
"""Section name → dataclass of its options."""


def read(path: Path) -> dict[str, Any]:
    """Parse a configuration file. Raises ConfigError."""
    return parse(read_text(path), str(path))


def parse(text: str, where: str) -> dict[str, Any]:
    """Parse TOML text. Raises ConfigError that begins with `where`."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not readable as TOML: {error}") from None


def read_text(path: Path) -> str:
    """Read a configuration file as text. Raises ConfigError."""
    try:
        return texts.read(path)
    except OSError as error:
        remedy = "write one with `leakear-edge config example`" if not path.exists() else "name a file that can be read"
        raise ConfigError(f"configuration {path}: {error.strerror}; {remedy}") from None
    except texts.TextError as error:
        raise ConfigError(f"{path} {error}") from None


def merged(
    given: Mapping[str, Any], sections: Sections, environment: Mapping[str, str], where: str
) -> dict[str, dict[str, Any]]:
    """Return section → key → value of a parsed file, overridden by the environment. Raises ConfigError.

    An error in a variable names the variable.
    """
    result = {}
    for name, body in given.items():
        if not isinstance(body, dict):
            known = "], [".join(sections)
            raise ConfigError(f"{where}: {name} stands outside of any section; put it under one of [{known}]")
        if name not in sections:
            raise ConfigError(f"{where}: unknown section [{name}]; known: {', '.join(sections)}")
        result[name] = dict(body)
    for section, key, value in _overrides(environment, sections):
        result.setdefault(section, {})[key] = value
    return result


def _overrides(environment: Mapping[str, str], sections: Sections) -> Iterator[tuple[str, str, Any]]:
    """Yield (section, key, value) of LEAKEAR_SECTION_KEY variables."""
    for name, text in environment.items():
        for section, owner in sections.items():
            prefix = f"{ENVIRONMENT}_{section.upper()}_"
            if name.startswith(prefix):
                key = name[len(prefix) :].lower()
                kind = next((each.kind for each in declared(owner) if each.key == key), None)
                value = text if kind is str else _value(text)
                checked(owner, {key: value}, f"environment variable {name}: [{section}]")
                yield section, key, value


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def checked(owner: type[Any], body: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Check names, types and limits of one section. Raises ConfigError that begins with `where`."""
    try:
        return check_fields(owner, body, closed=True)
    except FieldError as error:
        raise ConfigError(_sentence(error, where)) from None


def _sentence(error: FieldError, where: str) -> str:
    rule = error.rule
    if error.problem == "unknown":
        return f"{where} {error.value}: unknown key; known: {', '.join(error.known)}"
    what = f"{where} {error.path.removeprefix('.')} = {'***' if rule.secret else repr(error.value)}"
    if error.problem == "type":
        return f"{what}: must be {_type_name(error.kind)} ({rule.doc})"
    found = {
        "choice": f"must be one of {', '.join(rule.choices or ())}",
        "range": f"must lie within {rule.minimum} to {rule.maximum} ({rule.doc})",
        "characters": "holds control characters, perhaps a line end: remove them",
        "form": f"is not of the right form ({rule.doc})",
    }
    return f"{what}: {found.get(error.problem, f'is too large, too long, or too many ({rule.doc})')}"


def _type_name(kind: Any) -> str:
    names = {str: "a text in quotes", int: "a whole number", float: "a number", bool: "true or false"}
    return "a list" if get_origin(kind) is tuple else names[kind]


def toml(value: Any) -> str:
    """Write one value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(item) for item in value)}]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)


def annotated(sections: Sections, model: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the example configuration: every key with its default, unit, limits and effect.

    `model`: what the factory model says of [decision].
    """
    yield "# leakear node configuration. Every key is shown with its default; a # before a key leaves it at that. What"
    yield "# the model file says of [decision] goes before its defaults: shown is what the factory model says."
    yield f"# An environment variable {ENVIRONMENT}_SECTION_KEY overrides a key. Check: leakear-edge config check FILE"
    for name, owner in sections.items():
        yield ""
        yield f"[{name}]  # {(owner.__doc__ or '').splitlines()[0].removeprefix(f'[{name}]:').strip()}"
        for each in declared(owner):
            yield from _annotated_key(each, model if name == "decision" else {})


def _annotated_key(each: Declared, model: Mapping[str, Any]) -> Iterator[str]:
    rule = each.rule
    limits = "" if rule.minimum is None else f" ({_plain(rule.minimum)} to {_plain(rule.maximum)})"
    limits = f" ({' | '.join(rule.choices)})" if rule.choices else limits
    yield f"# {rule.doc}{limits}{'; from the model' if each.key in model else ''}"
    yield f"#{each.key} = {toml(model.get(each.key, each.default))}"


def _plain(limit: float | None) -> str:
    """Write a limit as a person would: bytes in full."""
    return "any" if limit is None else str(int(limit)) if float(limit).is_integer() else f"{limit:g}"


def shown(sections: Sections, settings: object) -> Iterator[str]:
    """Yield the lines of the configuration in force, secrets masked. `settings`: has one attribute a section."""
    for name, owner in sections.items():
        yield f"[{name}]"
        section = getattr(settings, name)
        for each in declared(owner):
            if isinstance(section, Mapping) and each.key not in section:
                yield f"# {each.key}: from the model"
            else:
                value = section[each.key] if isinstance(section, Mapping) else getattr(section, each.attribute)
                yield f"{each.key} = {toml('***' if each.rule.secret and value else value)}"
        yield ""


def set_keys(path: Path, section: str, values: Mapping[str, Any], check: Callable[[Mapping[str, Any]], object]) -> None:
    """Set keys of a section in a configuration file, and keep the old file as .bak.

    `check` gets the new configuration and raises ConfigError where it is unusable; nothing is changed then. Mode and
    owner of the file stay, its .bak gets them too. Raises ConfigError, OSError.
    """
    old = read_text(path)
    new = with_keys(old, section, values, str(path))
    check(parse(new, str(path)))
    files.write(path.with_name(f"{path.name}.bak"), old.encode(), like=path)
    files.write(path, new.encode())


def with_keys(text: str, section: str, values: Mapping[str, Any], where: str) -> str:
    """Set keys of a section in TOML text; everything else, comments included, stays as it is.

    The section may be written as [section], as dotted keys (section.key = …) or as one inline table. Raises ConfigError
    where the text is no TOML, or is written in yet another way.
    """
    before = parse(text, where)
    wanted = before | {section: before.get(section, {}) | values}
    for write in (_in_section, _in_dotted_keys, _in_inline_table):
        changed = write(text, section, wanted[section], values)
        try:
            if changed is not None and tomllib.loads(changed) == wanted:
                return changed
        except tomllib.TOMLDecodeError:
            continue
    keys = ", ".join(f"{key} = {toml(value)}" for key, value in values.items())
    raise ConfigError(f"{where}: [{section}] is written in a way that cannot be changed here; set {keys} by hand")


def _name(name: str) -> str:
    """Return a pattern of a TOML key, bare or quoted."""
    return rf"""(?:{name}|"{name}"|'{name}')"""


def _lines(values: Mapping[str, Any], prefix: str, end: str) -> list[str]:
    return [f"{prefix}{key} = {toml(value)}{end}" for key, value in values.items()]


def _without(lines: list[str], values: Mapping[str, Any], prefix: str) -> list[str]:
    key = re.compile(rf"\s*{prefix}(?:{'|'.join(map(_name, values))})\s*=")
    return [line for line in lines if not key.match(line)]


def _in_section(text: str, section: str, _table: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """Put the keys under [section], which is added at the end where there is none."""
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    heads = [number for number, line in enumerate(lines) if line.lstrip().startswith("[")]
    head = re.compile(rf"\s*\[\s*{_name(section)}\s*\]")
    start = next((number for number in heads if head.match(lines[number])), None)
    if start is None:
        last = [] if not text or text.endswith("\n") else [end]
        return "".join([*lines, *last, end, f"[{section}]{end}", *_lines(values, "", end)])
    if not lines[start].endswith("\n"):
        lines[start] += end
    stop = next((number for number in heads if number > start), len(lines))
    inside, new = _replaced(lines[start + 1 : stop], values, end)
    return "".join([*lines[: start + 1], *_lines(new, "", end), *inside, *lines[stop:]])


def _replaced(lines: list[str], values: Mapping[str, Any], end: str) -> tuple[list[str], dict[str, Any]]:
    """Return the lines with each key that has one set where it stands, below its comment; and the other keys."""
    new, changed = dict(values), []
    for line in lines:
        key = next((key for key in new if re.match(rf"\s*{_name(key)}\s*=", line)), None)
        changed.append(line if key is None else _lines({key: new.pop(key)}, "", end)[0])
    return changed, new


def _in_dotted_keys(text: str, section: str, _table: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """Put `section.key = value` at the beginning."""
    end = "\r\n" if "\r\n" in text else "\n"
    rest = _without(text.splitlines(keepends=True), values, rf"{_name(section)}\s*\.\s*")
    return "".join([*_lines(values, f"{section}.", end), *rest])


def _in_inline_table(text: str, section: str, table: Mapping[str, Any], _values: Mapping[str, Any]) -> str:
    """Replace `section = { … }`."""
    inside = ", ".join(f"{key} = {toml(value)}" for key, value in table.items())
    line = re.compile(rf"^\s*{_name(section)}\s*=\s*\{{.*\}}", re.MULTILINE)
    return line.sub(lambda _: f"{section} = {{ {inside} }}", text, count=1)
