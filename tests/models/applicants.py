"""Hypothesis strategies: bodies of requests that a schema must take, and bodies that it must refuse.

A body is put together as text, so that it can hold what no JSON library writes: NaN, doubled keys, half characters.
"""

import json
from typing import Any

from hypothesis import strategies as st

from configs.feature import Feature
from models.schema import MAX_ID_LENGTH, Schema, optional

Pairs = list[tuple[str, str]]  # keys and values of one object, as JSON text

SPACE = st.sampled_from(["", " ", "\n", "\t ", "\r\n"])
NOT_NUMBERS = st.sampled_from(
    ["true", "false", '"6"', '""', "[]", "[1]", "{}", '{"a": 1}', "NaN", "Infinity", "-Infinity"]
)
NOT_TEXTS = st.sampled_from(["true", "0", "1", "-1.5", "[]", "{}", '["a"]', "NaN"])
HUGE = st.sampled_from(["1e400", "-1e400", "1e39", "-1e39", "9" * 45, "-" + "9" * 200])


def quoted(text: str) -> st.SearchStrategy[str]:
    """A text as JSON spells it, with or without letters beyond ASCII, or with every character escaped."""
    escaped = "".join(f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else letter for letter in text)
    return st.sampled_from([json.dumps(text), json.dumps(text, ensure_ascii=False), f'"{escaped}"'])


def good_value(feature: Feature) -> st.SearchStrategy[str]:
    """JSON text of a value that the feature allows."""
    if feature.type == "categorical":
        values = st.sampled_from(feature.categories).flatmap(quoted)
    elif feature.type == "integer":
        whole = st.integers(int(feature.lowest), int(feature.highest))
        values = whole.map(str) | whole.map(lambda number: f"{number}.0")
    else:
        values = st.floats(feature.lowest, feature.highest).map(repr)
        values |= st.integers(max(-1000, int(feature.lowest)), min(1000, int(feature.highest))).map(str)
    return values | st.just("null") if feature.nullable else values


def wrong_value(feature: Feature) -> st.SearchStrategy[str]:
    """JSON text of a value that the feature does not allow."""
    if feature.type == "categorical":
        strays = st.text(max_size=80).filter(lambda text: text not in feature.categories).map(json.dumps)
        near = st.sampled_from(feature.categories).map(lambda text: json.dumps(text + " "))
        wrong = NOT_TEXTS | strays | near | st.sampled_from(['"\\ud800"', '"\\udc00 x"'])
    else:
        wrong = NOT_NUMBERS | HUGE
        if feature.minimum is not None:
            wrong |= st.floats(max_value=feature.minimum, exclude_max=True, allow_infinity=False).map(repr)
        if feature.maximum is not None:
            wrong |= st.floats(min_value=feature.maximum, exclude_min=True, allow_infinity=False).map(repr)
        if feature.type == "integer":
            wrong |= st.sampled_from([f"{int(max(feature.lowest, -99))}.5", "1.0000001", "0.1"])
    return wrong if feature.nullable else wrong | st.just("null")


@st.composite
def good_rows(draw: st.DrawFn, schema: Schema) -> Pairs:
    """An applicant that must be taken."""
    pairs = [
        (draw(quoted(feature.name)), draw(good_value(feature)))
        for feature in schema.dataset.features
        if not optional(feature) or draw(st.booleans())
    ]
    if draw(st.booleans()):
        identifiers = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=MAX_ID_LENGTH)
        pairs.append(('"application_id"', draw(st.just("null") | identifiers.flatmap(quoted))))
    return draw(st.permutations(pairs))


@st.composite
def broken_rows(draw: st.DrawFn, schema: Schema, doubled: bool = True) -> Pairs:
    """An applicant with exactly one thing wrong."""
    pairs = draw(good_rows(schema))
    by_name = {json.loads(key): index for index, (key, _) in enumerate(pairs)}
    ways = ["value", "missing", "unknown", "identifier", *(["doubled"] if doubled else [])]
    way = draw(st.sampled_from(ways))
    if way == "value":
        feature = draw(st.sampled_from(schema.dataset.features))
        pair = (json.dumps(feature.name), draw(wrong_value(feature)))
        if feature.name in by_name:
            pairs[by_name[feature.name]] = pair
        else:
            pairs.append(pair)
    elif way == "missing":
        needed = [feature.name for feature in schema.dataset.features if not optional(feature)]
        del pairs[by_name[draw(st.sampled_from(needed))]]
    elif way == "unknown":
        pairs.append((json.dumps(draw(st.text(max_size=80).filter(lambda name: name not in schema.names))), "1"))
    elif way == "identifier":
        wrong = draw(st.sampled_from(['""', "1", "[]", "true", '"' + "x" * (MAX_ID_LENGTH + 1) + '"', '"\\ud800"']))
        pairs = [pair for pair in pairs if json.loads(pair[0]) != "application_id"] + [('"application_id"', wrong)]
    else:
        key, value = draw(st.sampled_from(pairs))
        pairs.insert(draw(st.integers(0, len(pairs))), (key, draw(st.sampled_from([value, "null", '"x"', "1"]))))
    return pairs


def text_of(pairs: Pairs, space: str = "") -> str:
    """One object as JSON text."""
    return "{" + ",".join(f"{space}{key}{space}:{space}{value}{space}" for key, value in pairs) + "}"


@st.composite
def good_bodies(draw: st.DrawFn, schema: Schema) -> bytes:
    """A body that must be taken."""
    space = draw(SPACE)
    rows = draw(st.lists(good_rows(schema), min_size=1, max_size=2))
    return body_of([text_of(row, space) for row in rows], space)


@st.composite
def broken_bodies(draw: st.DrawFn, schema: Schema) -> bytes:
    """A body that must be refused: broken rows among good ones, or a good body with its text damaged."""
    if draw(st.booleans()):
        rows = draw(st.lists(good_rows(schema), max_size=1))
        rows.insert(draw(st.integers(0, len(rows))), draw(broken_rows(schema)))
        return body_of([text_of(row) for row in rows])
    body = draw(good_bodies(schema))
    damages: list[Any] = [
        lambda: body[: draw(st.integers(0, len(body.rstrip()) - 1))],  # torn
        lambda: body + draw(st.sampled_from([b"x", b"{}", b"\x00", b","])),
        lambda: b"\xef\xbb\xbf" + body,
        lambda: b"[" + body + b"]",
        lambda: body.replace(b"applicants", draw(st.sampled_from([b"applicant", b"Applicants", b""])), 1),
        lambda: body.rstrip()[:-1] + draw(st.sampled_from([b',"more":1}', b',"applicants":[]}', b",}"])),
        lambda: body.replace(b"[", b"[1,", 1),
        lambda: body.replace(b"[", b"[null,", 1),
        lambda: body.replace(b'"', b"'", 1),
        lambda: body.replace(b'"', b'"\xff', 1),
    ]
    return draw(st.sampled_from(damages))()


def body_of(rows: list[str], space: str = "") -> bytes:
    """The envelope around objects."""
    return f'{space}{{{space}"applicants"{space}:{space}[{f"{space},".join(rows)}]{space}}}{space}'.encode()
