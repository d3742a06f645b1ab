"""From the bytes of a request to typed rows, or to a list of everything wrong with them.

Two parsers share the rules of the schema. The fast one (msgspec) parses and validates in one pass. Whatever it rejects
goes to the thorough one, which lists each fault with row, field, value and what is allowed. A test compares the two.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Any, NoReturn

import msgspec
import numpy as np
from msgspec import UNSET, Struct

from configs.dataset import RESERVED, Feature
from models.application_ids import SURROGATE, ApplicationIds, is_identifier
from models.errors import Detail, Rejected
from models.schema import MAX_ID_LENGTH, Schema, optional
from models.spelling import Suggestions, likeness

MAX_DETAILS = 20  # faults listed per response
MAX_SHOWN = 64  # characters of an invalid value that a response repeats
EXACT_DIGITS = 15  # whole numbers of up to this many digits are exact as doubles
MAX_CATEGORIES = 30  # categories listed when a value is none of them
ENVELOPE = "applicants"
LONG_BODY, QUOTE = 8192, ord('"')


class _Object(dict[str, Any]):
    """A JSON object that remembers repeated keys."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.doubled: list[str] = []
        if len(self) != len(pairs):
            self.doubled = sorted(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)


class RequestDecoder:
    """Decodes the body of `POST /predict`.

    Args:
        schema: the compiled dataset.
        max_rows: the most applicants per request.
    """

    def __init__(self, schema: Schema, max_rows: int) -> None:
        self.schema = schema
        self.max_rows = max_rows
        self._identifiers = ApplicationIds()
        rows: Any = list[schema.row]  # type: ignore[name-defined]  # the row type is made at run time
        envelope = msgspec.defstruct("Envelope", [(ENVELOPE, rows)], forbid_unknown_fields=True)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(envelope)
        attributes = schema.row.__struct_fields__
        features = schema.dataset.features
        # Quotes of a row without its optional fields: two per key, and two per text value.
        self._quotes = sum(4 if f.type == "categorical" else 2 for f in features if not optional(f))
        self._optional = [
            (attribute, 4 if feature.type == "categorical" else 2)
            for attribute, feature in zip(attributes, features, strict=False)
            if optional(feature)
        ]
        self._optional.append((RESERVED, 4))

    def decode(self, body: bytes) -> list[Struct]:
        """Rows of `schema.row`, each with an `application_id`; raises `Rejected`."""
        try:
            rows: list[Struct] = self._decoder.decode(body).applicants
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            rows = self._explain(body)
        else:
            if not 0 < len(rows) <= self.max_rows or count_quotes(body) != self._expected_quotes(rows):
                rows = self._explain(body)
        self._identifiers.complete(rows)
        return rows

    def convert(self, applicants: list[Any]) -> list[Struct]:
        """Rows of applicants that another parser has read, and that are known to be valid."""
        rows = [msgspec.convert(applicant, self.schema.row) for applicant in applicants]
        self._identifiers.complete(rows)
        return rows

    def _expected_quotes(self, rows: list[Struct]) -> int:
        """Quotes in a body that holds `rows` and repeats no key.

        msgspec silently keeps the last of repeated keys. Each key takes two quotes, so a body with more quotes than
        its rows need has a repeated key (or an escaped quote), and goes to the thorough parser. Counting costs 0.1 us
        per kilobyte; parsing into a dict that notices repeated keys costs 20 times the whole request.
        """
        quotes = 2 + self._quotes * len(rows)
        for row in rows:
            for attribute, given in self._optional:
                value = getattr(row, attribute)
                if value is not UNSET:
                    quotes += 2 if value is None else given
        return quotes

    def _explain(self, body: bytes) -> list[Struct]:
        """The thorough parser: raises `Rejected` with every fault, or returns the rows if there is none."""
        # Python builds an object for each of these; five million empty ones would block the worker for a minute.
        if sum(body.count(mark) for mark in (b"{", b"[", b",")) > (self.max_rows + 2) * (len(self.schema.names) + 4):
            raise Rejected(413, f"more values than {self.max_rows} applicants have")
        envelope = parse(body)
        if not isinstance(envelope, _Object) or set(envelope) != {ENVELOPE} or envelope.doubled:
            reject_envelope()
        applicants = envelope[ENVELOPE]
        if not isinstance(applicants, list):
            reject_envelope()
        if len(applicants) > self.max_rows:
            raise Rejected(413, f"{len(applicants)} applicants; at most {self.max_rows} in one request")
        if not applicants:
            reject([Detail(row=None, field=ENVELOPE, value=[], message="must hold at least one applicant")])
        if faults := all_faults(self.schema, applicants):
            reject(faults)
        return [msgspec.convert(applicant, self.schema.row) for applicant in applicants]


def count_quotes(body: bytes) -> int:
    """The number of quotes; beyond a few kilobytes NumPy counts eight times faster.

    >>> count_quotes(b'{"age": 30}'), count_quotes(b'"' * LONG_BODY)
    (2, 8192)
    """
    if len(body) < LONG_BODY:
        return body.count(b'"')
    return int(np.count_nonzero(np.frombuffer(body, dtype=np.uint8) == QUOTE))


def parse(body: bytes) -> Any:
    """JSON, with repeated keys noted, and NaN, Infinity and 1e400 left for a later message; raises `Rejected` 400."""
    try:
        return json.loads(body.decode(), object_pairs_hook=_Object, parse_int=_whole)
    except UnicodeDecodeError as error:
        raise Rejected(400, f"not JSON: byte {error.start} is not UTF-8", "invalid_json") from None
    except RecursionError:
        raise Rejected(400, "nested too deeply", "invalid_json") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Rejected(400, f"not JSON: {error.msg} at {where}", "invalid_json") from None


def reject_envelope() -> NoReturn:
    """Reject a body that is JSON but not the envelope."""
    raise Rejected(400, 'the body must be {"applicants": [{...}, ...]} and nothing else', "invalid_envelope")


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
            if not optional(feature):
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


def _whole(digits: str) -> int | float:
    """A whole number; a long one becomes a double, as in the fast parser."""
    return int(digits) if len(digits) <= EXACT_DIGITS else float(digits)
