"""What is wrong with rows and values, each in words that say what is allowed.

Owns the messages, and how many of them and how much of a value a response repeats. Leaves to others: parsing a body
(request), the rules themselves (schema), suggestions (spelling).
"""

import math
from collections.abc import Iterable
from itertools import islice
from typing import Any, NoReturn

from configs.dataset import RESERVED
from configs.feature import Feature
from models.application_ids import SURROGATE, is_identifier
from models.errors import Detail, Rejected
from models.schema import MAX_ID_LENGTH, Schema
from models.spelling import Suggestions, likeness

MAX_DETAILS = 20  # faults listed per response
MAX_SHOWN = 64  # characters of an invalid value that a response repeats
MAX_CATEGORIES = 30  # categories listed when a value is none of them


def reject(faults: list[Detail]) -> NoReturn:
    """Reject with the first `MAX_DETAILS` faults."""
    shown = tuple(faults[:MAX_DETAILS])
    more = ", the first of them listed" if len(faults) > MAX_DETAILS else ""
    noun = "value" if len(shown) == 1 else "values"
    raise Rejected(422, f"{len(shown)} {noun} refused{more}; nothing was scored", details=shown)


def all_faults(schema: Schema, applicants: Iterable[Any]) -> list[Detail]:
    """The faults of all applicants, in order; no more applicants are looked at once there are over `MAX_DETAILS`."""
    faults: list[Detail] = []
    suggestions = Suggestions(schema.names)
    for index, applicant in enumerate(applicants):
        faults += row_faults(schema, index, applicant, suggestions)
        if len(faults) > MAX_DETAILS:
            break
    return faults


def row_faults(schema: Schema, index: int, applicant: Any, suggestions: Suggestions) -> list[Detail]:
    """Every fault of one applicant, in the schema's order."""

    def fault(field: str | None, value: Any, message: str) -> Detail:
        return Detail(row=index, field=shown(field), value=shown(value), message=message)

    if not isinstance(applicant, dict):
        return [fault(None, applicant, "must be an object of features")]
    doubled = getattr(applicant, "doubled", [])
    identifier = applicant.get(RESERVED)
    bad_id = identifier is not None and not is_identifier(identifier)
    if not (doubled or bad_id) and schema.takes(applicant):
        return []
    # A body of a million keys gets messages for the first few, and blocks nobody.
    unknown = islice((name for name in applicant if name not in schema.known), MAX_DETAILS)
    faults = [fault(name, applicant[name], "is given twice") for name in doubled[:MAX_DETAILS]]
    faults += [fault(name, applicant[name], f"unknown field{suggestions.hint(name)}") for name in unknown]
    for feature in schema.dataset.features:
        if feature.name not in applicant:
            if not schema.optional(feature):
                faults.append(fault(feature.name, None, "is missing"))
            continue
        message = value_fault(feature, applicant[feature.name])
        if message:
            faults.append(fault(feature.name, applicant[feature.name], message))
    if bad_id:
        faults.append(fault(RESERVED, identifier, f"must be text of 1 to {MAX_ID_LENGTH} characters"))
    return faults


def value_fault(feature: Feature, value: Any) -> str | None:
    """What is wrong with one value, or None.

    >>> value_fault(Feature(name="age", type="integer", minimum=18), -3)
    'must be at least 18'
    """
    if value is None:
        return None if feature.nullable else "must not be null"
    if feature.type == "categorical":
        if isinstance(value, str) and value in feature.categories:
            return None
        return f"must be one of: {_listed(feature.categories, value)}" if isinstance(value, str) else "must be text"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number"
    if not math.isfinite(value):
        return "must be finite"
    if value < feature.lowest:
        return f"must be at least {feature.lowest:.17g}"
    if value > feature.highest:
        return f"must be at most {feature.highest:.17g}"
    if feature.type == "integer" and value != int(value):
        return "must be a whole number"
    return None


def _listed(categories: tuple[str, ...], value: str) -> str:
    more = f", … ({len(categories)} in all)" if len(categories) > MAX_CATEGORIES else ""
    return ", ".join(categories[:MAX_CATEGORIES]) + more + likeness(value, categories)


def shown(value: Any) -> Any:
    """An invalid value as a response can repeat it: short, and valid JSON.

    >>> shown(float("nan")), shown([1, 2]), shown(-3)
    ('NaN', 'a list', -3)
    """
    if isinstance(value, float) and not math.isfinite(value):  # 1e400 among them
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    if isinstance(value, str):
        clean = SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value[:MAX_SHOWN])
        return clean if len(value) <= MAX_SHOWN else clean[: MAX_SHOWN - 1] + "…"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    return value
