"""Fingerprints of rows: 64 bits of all their values, and twins, rows that are equal in all columns but one at most.

The sum of a hash of each cell, so that a column can be taken out again. Nothing of it is secret or collision-free
against an adversary: it finds rows that stand in a table twice, and says which rows a model was trained on.
"""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from train.evaluation.results import Shared
from train.tables.column import NumberColumn, TableColumn
from train.tables.table import Table

Prints = NDArray[np.uint64]
FEW = 0.005  # share of test rows with a twin by chance; in a table where there are more, twins say nothing
MISSING = b"\x00missing"
MISSING_NUMBER = np.uint64(0x7FF8_0000_0000_0000)  # of the many patterns of NaN, one


def fingerprints(columns: Mapping[str, TableColumn], names: Sequence[str]) -> Prints:
    """One for each row, `[rows]`, of the columns called `names`, in whatever order."""
    return sum((cells(name, columns[name]) for name in names[1:]), start=cells(names[0], columns[names[0]]))


def cells(name: str, column: TableColumn) -> Prints:
    """A hash of each cell of a column, `[rows]`: the same value has the same one in every table.

    >>> one, two, three = cells("age", NumberColumn([30.0, None, 30.0])).tolist()
    >>> one == three != two
    True
    """
    key = hashlib.blake2b(name.encode(), digest_size=32).digest()
    if isinstance(column, NumberColumn):
        bits = (column.array + 0.0).view(np.uint64)  # one nought, whatever its sign
        bits = np.where(np.isnan(column.array), MISSING_NUMBER, bits)
        return _mixed(bits ^ np.frombuffer(key[:8], dtype="<u8").astype(np.uint64))
    known: dict[str | None, int] = {}
    place = np.array([known.setdefault(value, len(known)) for value in column], dtype=np.int64)
    named = [MISSING if value is None else b"=" + value.encode() for value in known]
    hashed = [hashlib.blake2b(value, digest_size=8, key=key).digest() for value in named]
    return np.frombuffer(b"".join(hashed), dtype="<u8").astype(np.uint64)[place]


def _mixed(bits: Prints) -> Prints:
    """Each 64 bits scattered, one to one: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    return bits ^ (bits >> np.uint64(31))


def twins(columns: Mapping[str, TableColumn], here: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which rows of `here` `[rows]` have a twin among the other rows: equal in every column but one, or in all.

    >>> age, home = NumberColumn([30.0, 31.0, 50.0]), np.array(["own", "own", "rent"], dtype=object)
    >>> twins({"age": age, "home": home, "job": home}, np.array([True, False, False])).tolist()
    [True, False, False]
    """
    return _twins([cells(name, column) for name, column in columns.items()], here)


def _twins(hashed: Sequence[Prints], here: NDArray[np.bool_]) -> NDArray[np.bool_]:
    found = np.zeros(len(here), dtype=np.bool_)
    whole = sum(hashed[1:], start=hashed[0])
    for part in hashed:
        rest = whole - part  # of all columns but this one
        found[here] |= np.isin(rest[here], rest[~here])
    return found


def twin_of(columns: Mapping[str, TableColumn], row: int, among: NDArray[np.bool_]) -> int:
    """The first row of `among` `[rows]` that is a twin of `row`."""
    hashed = [cells(name, column) for name, column in columns.items()]
    differing = np.sum([part != part[row] for part in hashed], axis=0)
    return int(np.flatnonzero(among & (differing <= 1))[0])


def twins_by_chance(columns: Mapping[str, TableColumn], here: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The same of a table whose columns are shuffled independently: in few columns of few values most rows have one."""
    drawn = np.random.default_rng(0)
    hashed = [cells(name, column) for name, column in columns.items()]
    return _twins([part[drawn.permutation(len(here))] for part in hashed], here)


def shared_rows(table: Table, in_test: NDArray[np.bool_], used: NDArray[np.bool_] | None = None) -> Shared | None:
    """The test rows with a twin in the training part; None where chance alone gives as many as `FEW` of them.

    Only the rows of `used` `[rows]` are in either part; by default all.
    """
    if used is not None and not used.all():
        places = np.flatnonzero(used)
        among = shared_rows(table.rows(places), in_test[places])
        return among and Shared(among.share, tuple(int(places[row - 1]) + 1 for row in among.rows))
    if twins_by_chance(table.columns, in_test)[in_test].mean() > FEW:
        return None
    found = twins(table.columns, in_test)
    share = float(found[in_test].mean())
    if not share:
        return Shared(0.0, ())
    one = int(np.flatnonzero(found)[0])
    other = twin_of(table.columns, one, ~in_test)
    return Shared(share, (one + 1, other + 1))
