"""Words and numbers that mostly mean that a value is missing.

Owns the lists. Nothing here makes a value missing: that takes an empty cell, or `source.null_values` of the dataset
file.
"""

from collections.abc import Iterable

# What exports write for nothing, and hardly anybody means as a word: MySQL, pandas, Excel, NumPy.
MARKERS = ("\\N", "<NA>", "#N/A", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "<null>", "NaN", "nan")
# Words that are a category in one table and nothing in another; in lower case.
WORDS = frozenset({"", "-", ".", "?", "missing", "n/a", "na", "nan", "null", "unknown"})
EXACT_WORDS = frozenset({*MARKERS, "None"})  # `none` may mean that there is none
CODES = (-9.0, -99.0, -999.0, -9999.0, -99999.0, 999.0, 9999.0, 99999.0, 999999.0)
FAR = 5.0  # times the next largest value, from which a row of nines is a code


def means_nothing(text: str) -> bool:
    r"""Whether a text mostly stands for a missing value.

    >>> means_nothing("\\N"), means_nothing("N/A "), means_nothing("none"), means_nothing("None")
    (True, True, False, True)
    """
    return text.strip() in EXACT_WORDS or text.strip().casefold() in WORDS


def code_among(values: Iterable[float]) -> float | None:
    """A number that stands apart like a code for a missing value, such as -999 among positive amounts.

    >>> code_among([-999.0, 7.0, 30.0]), code_among([-999.0, -998.0, 3.0]), code_among([1.0, 40.0, 999.0])
    (-999.0, None, 999.0)
    """
    distinct = sorted(set(values))
    if len(distinct) < 3:
        return None
    if distinct[0] in CODES and distinct[1] >= 0 > distinct[0]:
        return distinct[0]
    return distinct[-1] if distinct[-1] in CODES and distinct[-1] > FAR * max(distinct[-2], 1.0) else None
