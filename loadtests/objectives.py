"""The objectives file: what must hold for each user class; unknown keys are errors that name file, key and remedy.

Owns its types and its reading. It does not use `configs.source`, because the load generator runs in an environment, and
often on a machine, of its own.
"""

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import yaml
from msgspec import Meta, Struct

from loadtests.mix import CLASSES
from loadtests.problems import LoadTestError

T = TypeVar("T", bound=Struct)
Milliseconds = Annotated[float, Meta(gt=0, le=600_000)]
Ratio = Annotated[float, Meta(gt=1, le=100)]


class Objectives(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must hold for one user class; `loadtests/slo.yaml` has the units and reasons."""

    p50_ms: Milliseconds
    p95_ms: Milliseconds
    p99_ms: Milliseconds
    error_rate: Annotated[float, Meta(ge=0, le=1)]
    throughput_floor: Annotated[float, Meta(ge=0)]


class Slo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    classes: Annotated[dict[str, Objectives], Meta(min_length=1)]
    regression: Ratio
    soak_growth: Ratio
    calibration_change: Annotated[float, Meta(gt=0, le=10)]


def read_slo(path: Path) -> Slo:
    """Read and check the file; raises `LoadTestError`."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)  # noqa: S506 - it is a SafeLoader
    except FileNotFoundError:
        raise LoadTestError(f"{path}: no such file; give another by SLO=, as loadtests/slo.yaml") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LoadTestError(f"{path}: cannot be read ({error}); make it a readable file in UTF-8") from None
    except yaml.YAMLError as error:
        raise LoadTestError(f"{path}: {' '.join(str(error).split())}; fix the YAML there") from None
    classes = raw.get("classes") if isinstance(raw, dict) else None
    for name, objectives in classes.items() if isinstance(classes, dict) else ():
        _convert(path, f"classes.{name}", objectives, Objectives)  # first, so that a message names the class
    slo = _convert(path, "", raw, Slo)
    for name, objectives in slo.classes.items():
        if name not in CLASSES:
            known = ", ".join(CLASSES)
            raise LoadTestError(f"{path}: classes.{name}: no such user class; there are {known}")
        if objectives.throughput_floor > CLASSES[name].pace_per_s:
            pace = f"a user of this class sends {CLASSES[name].pace_per_s:g} requests per second"
            raise LoadTestError(f"{path}: classes.{name}.throughput_floor: {pace}; give at most that")
        if not objectives.p50_ms <= objectives.p95_ms <= objectives.p99_ms:
            raise LoadTestError(f"{path}: classes.{name}: p50_ms <= p95_ms <= p99_ms must hold; swap them")
    return slo


class _UniqueKeys(yaml.SafeLoader):
    """Refuses repeated keys, of which YAML keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(problem=f"{key!r} appears twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def _convert(path: Path, key: str, raw: object, kind: type[T]) -> T:
    """What stands at a key, as its type."""
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise LoadTestError(f"{path}: {_explained(key, str(error))}") from None


def _explained(above: str, message: str) -> str:
    """Msgspec's message as key, problem and remedy; `above` is the key that it counts from."""
    problem, _, place = message.partition(" - at `$")
    key = ".".join(part for part in (above, place.rstrip("`").lstrip(".")) if part)
    field = re.search(r"field `([^`]*)`", problem)
    if not field:
        return f"{key or 'the file'}: {problem.replace('`', '')}; give a value of that type and range"
    whole = ".".join(part for part in (key, field[1]) if part)
    if "missing" in problem:
        return f"{whole}: is missing; add it"
    known = [*Slo.__struct_fields__, *Objectives.__struct_fields__]
    near = difflib.get_close_matches(field[1], known, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"remove it; the keys are {', '.join(known)}"
    return f"{whole}: unknown key; {remedy}"
