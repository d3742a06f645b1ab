"""Reads one YAML file into one frozen type; every error names the file, the key and the remedy.

Owns YAML, unknown and repeated keys, and environment overrides. Leaves what the values mean to the types.

Scalars stay text until a type converts them, so `categories: [no, yes, 1_000]` means what was typed, and not
`[False, True, 1000]` as in YAML 1.1.
"""

import difflib
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

T = TypeVar("T", bound=msgspec.Struct)
logger = logging.getLogger("bentoml.scorer")

_FAULT = re.compile(r"^(?P<problem>.*?)(?: - at `\$(?P<key>.*)`)?$", re.DOTALL)
_FIELD = re.compile(r"field `(?P<field>[^`]*)`")


class ConfigError(ValueError):
    """A configuration file is unusable.

    Args:
        path: the file.
        key: place in the file, such as `features[2].minimum`; empty for the whole file.
        problem: what is wrong.
        remedy: how to fix it.
    """

    def __init__(self, path: Path | str, key: str, problem: str, remedy: str) -> None:
        self.path, self.key, self.problem, self.remedy = str(path), key, problem, remedy
        super().__init__(": ".join(part for part in (str(path), key, f"{problem}; {remedy}") if part))


class _TextLoader(yaml.BaseLoader):
    """Loads every scalar as text and rejects repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be text", problem_mark=key_node.start_mark)
            if key_node.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key_node.value!r} appears twice", problem_mark=key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def read(
    path: Path,
    kind: type[T],
    environment: Mapping[str, str] | None = None,
    renamed: Mapping[str, str] | None = None,
) -> T:
    """Read one file.

    Args:
        path: the file.
        kind: its type.
        environment: a variable `SCORER_<KEY>` in it overrides a top-level key of the file.
        renamed: former names of keys, which still work but log a deprecation warning.
    """
    raw = _raw(path, kind)
    overrides = {}
    names = {name: name for name in _keys(kind)}
    for name, key in {**(renamed or {}), **names}.items():
        if name != key and name in raw:
            logger.warning("%s: %s is now %s; the old name works in this version only", path, name, key)
            raw[key] = raw.pop(name)
        variable = f"SCORER_{name.upper()}"
        if environment and variable in environment:
            if name != key:
                logger.warning("%s: is now SCORER_%s; the old name works in this version only", variable, key.upper())
            overrides[key] = variable
            raw[key] = environment[variable]
    try:
        return msgspec.convert(raw, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _explained(path, kind, str(error), overrides) from None


def _keys(kind: type[msgspec.Struct]) -> list[str]:
    """The top-level keys."""
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def _raw(path: Path, kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The mapping that a file holds, every scalar as text."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(path, "", "no such file", "check the path; it is relative to the working directory") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(path, "", f"cannot be read ({error})", "make it a readable file in UTF-8") from None
    try:
        raw = yaml.load(text, Loader=_TextLoader)  # noqa: S506 - a BaseLoader builds text, lists and mappings only
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(path, where, str(error.problem), "fix the YAML there") from None
    except yaml.YAMLError as error:
        raise ConfigError(path, "", f"is not YAML ({error})".replace("\n", " "), "save it as plain text") from None
    if not isinstance(raw, dict):
        problem = "is empty" if raw in (None, "") else "is not a mapping of keys to values"
        raise ConfigError(path, "", problem, f"its keys are {', '.join(_keys(kind))}")
    return raw


def _explained(path: Path, kind: type[msgspec.Struct], message: str, overrides: Mapping[str, str]) -> ConfigError:
    """Turn msgspec's one line into key, problem and remedy; `overrides` maps keys to the variables that set them."""
    match = _FAULT.match(message)
    problem, key = (match["problem"], (match["key"] or "").lstrip(".")) if match else (message, "")
    named = _FIELD.search(problem)
    if named and problem.startswith("Object contains unknown field"):
        known = _names(kind)
        near = difflib.get_close_matches(named["field"], known, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"remove it; known keys are {', '.join(sorted(known))}"
        return ConfigError(path, ".".join(filter(None, (key, named["field"]))), "unknown key", remedy)
    if named and problem.startswith("Object missing required field"):
        return ConfigError(path, ".".join(filter(None, (key, named["field"]))), "is missing", "add it")
    if key in overrides:
        return ConfigError("environment", overrides[key], problem.replace("`", ""), "give a value of that type")
    return ConfigError(path, key, problem.replace("`", ""), "give a value of that type")


def _names(kind: Any) -> set[str]:
    """Every key of `kind` and of the types inside it."""
    names: set[str] = set()
    todo, done = [kind], set()
    while todo:
        current = todo.pop()
        if isinstance(current, type) and issubclass(current, msgspec.Struct) and current not in done:
            done.add(current)
            for field in msgspec.structs.fields(current):
                names.add(field.encode_name)
                todo.append(field.type)
        todo.extend(getattr(current, "__args__", ()))
    return names
