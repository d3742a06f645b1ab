"""Texts that look alike: whether two differ only in how they are spelled, and in what.

Owns the comparison. Leaves what follows from it to those who ask: a fault of a request, of a cell, a remark in a draft.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

MAX_COMPARED = 1000  # characters of a refused text; a longer one is no slip of the pen
MAX_NAME = 64  # characters of a refused name, likewise
MAX_PAIRS = 100_000  # of letters compared for one request, 5 to 50 ms: 20 misspelled names of 14 characters among 24
VOCABULARIES = 1024  # whose plain forms are remembered
_SPACES = {" ": "space", "\t": "tab", "\n": "line feed", "\r": "carriage return", "\u00a0": "no-break space"}
_NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")  # 007 is a code


def alike(one: str, other: str) -> bool:
    """Whether two different texts are one to a hasty reader.

    >>> alike("own", "Own "), alike("own", "rent"), alike("1", "1.0"), alike("007", "7")
    (True, False, True, False)
    """
    return one != other and _plain(one) == _plain(other)


def nearest(text: str, known: Iterable[str]) -> str | None:
    """The text of `known` that `text` looks like, or None."""
    plain = _plain(text)
    if isinstance(known, tuple):  # a vocabulary of the dataset, asked about again and again
        return next((other for other in _by_plain(known).get(plain, ()) if other != text), None)
    return next((other for other in known if other != text and _plain(other) == plain), None)


def likeness(text: str, known: Iterable[str]) -> str:
    """What to add to the refusal of a text: which known text it looks like, and in what it differs; mostly empty.

    >>> likeness("Own", ["own", "rent"]), likeness("castle", ["own", "rent"])
    ("; it differs from 'own' in case", '')
    """
    near = nearest(text, known) if len(text) <= MAX_COMPARED else None
    return "" if near is None else f"; it differs from {near!r} in {difference(text, near)}"


class Suggestions:
    """What refused names may have been meant to be: for one request, as the work for all of its names is bounded.

    Args:
        known: the names that there are.

    Attributes:
        pairs: of letters compared so far: one of a refused name and one of a known one.

    >>> Suggestions(["age", "purpose"]).hint("purpos")
    '; did you mean purpose?'
    """

    def __init__(self, known: Sequence[str]) -> None:
        self._known = known
        self.pairs = 0

    def hint(self, name: str) -> str:
        """What to add to the refusal of a name; empty if nothing is similar, or too much has been compared already."""
        pairs = len(name) * sum(map(len, self._known))
        if len(name) > MAX_NAME or self.pairs + pairs > MAX_PAIRS:
            return ""
        self.pairs += pairs
        near = difflib.get_close_matches(name, self._known, n=1)
        return f"; did you mean {near[0]}?" if near else ""


def groups(texts: Iterable[str]) -> list[list[str]]:
    """The texts that look like others among them, together.

    >>> groups(["own", "rent", "Own", "own "])
    [['own', 'Own', 'own ']]
    """
    found: dict[str, list[str]] = {}
    for text in texts:
        found.setdefault(_plain(text), []).append(text)
    return [group for group in found.values() if len(group) > 1]


def difference(text: str, other: str) -> str:
    r"""In what a text differs from another that looks like it.

    >>> difference("own ", "own"), difference("Own", "own"), difference("own\u00a0", "own")
    ('a space at its end', 'case', 'a no-break space at its end')
    >>> difference("sa\u0303o", "são"), difference("1.0", "1"), difference(" YES", "yes")
    ('the Unicode form of its letters', 'how the number is written', 'a space at its start and case')
    """
    found = []
    ends = [(text[: _start(text)], other[: _start(other)], "start"), (text[_end(text) :], other[_end(other) :], "end")]
    for mine, theirs, where in ends:
        if mine != theirs:
            found.append(f"{_named(mine)} at its {where}" if mine else f"a missing {_bare(theirs)} at its {where}")
    inside, theirs = text[_start(text) : _end(text)], other[_start(other) : _end(other)]
    if inside != theirs:
        found += _inside(inside, theirs)
    return " and ".join(found)


@lru_cache(VOCABULARIES)
def _by_plain(known: tuple[str, ...]) -> dict[str, list[str]]:
    """The texts of a vocabulary by what a hasty reader sees of them."""
    found: dict[str, list[str]] = {}
    for text in known:
        found.setdefault(_plain(text), []).append(text)
    return found


def _inside(text: str, other: str) -> list[str]:
    """The differences between two texts without their outer spaces."""
    found = []
    text, other = unicodedata.normalize("NFC", text), unicodedata.normalize("NFC", other)
    if text == other:
        return ["the Unicode form of its letters"]
    if _spaceless(text) != text or _spaceless(other) != other:
        if re.sub(r"\s+|\u200b|\ufeff", "\0", text) != re.sub(r"\s+|\u200b|\ufeff", "\0", other) or (
            _spaceless(text) == _spaceless(other)
        ):
            found.append("the spaces inside")
        text, other = _spaceless(text), _spaceless(other)
    if text == other:
        return found or ["the spaces inside"]
    if _NUMBER.fullmatch(text) and _NUMBER.fullmatch(other):
        return [*found, "how the number is written"]
    if text.casefold() == other.casefold():
        return [*found, "case"]
    return [*found, "the form of its letters"]


def _plain(text: str) -> str:
    """The text without what a hasty reader does not see: spaces, case, Unicode forms, the spelling of a number."""
    bare = _spaceless(unicodedata.normalize("NFKC", text)).casefold()
    bare = unicodedata.normalize("NFKC", bare)
    return repr(float(bare) + 0.0) if _NUMBER.fullmatch(bare) else bare


def _spaceless(text: str) -> str:
    return "".join(letter for letter in text if not _unseen(letter))


def _unseen(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) in ("Cf", "Zs")


def _start(text: str) -> int:
    return next((place for place, letter in enumerate(text) if not _unseen(letter)), len(text))


def _end(text: str) -> int:
    return next((place for place in range(len(text), _start(text), -1) if not _unseen(text[place - 1])), _start(text))


def _named(spaces: str) -> str:
    return f"a {_bare(spaces)}" if len(spaces) == 1 else f"{len(spaces)} spaces"


def _bare(spaces: str) -> str:
    """The name of the first of some spaces."""
    return _SPACES.get(spaces[0], "character that is not seen") if spaces else "space"
