"""What the dataset file and the checks file expect of a table, as a pandera schema, and what it finds, with lines.

Owns: schema, vocabulary, ranges, nulls, missing share, duplicates, class balance. Leaves to others: reading and the
first look at each cell (check), drift (quality). What to say of a cell is said by `models.request.value_fault`, as to
a client of the service.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from configs.checks import Checks
from configs.dataset import Dataset, Feature
from models.request import value_fault
from train.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd

CHECKS = ("schema", "vocabulary", "ranges", "nulls", "missing share", "duplicates", "class balance")
NAMED = 10  # lines that one message names
HOME = "configs/checks.yaml"


@dataclass(frozen=True)
class Finding:
    """Something that a check has found.

    Attributes:
        check: one of `CHECKS`, or `drift`.
        stops: whether the pipeline stops; if not, it is a warning.
        message: what, where, what is allowed and what mends it.
        column: the column, if it is one.
        lines: of the file, where rows are meant.
    """

    check: str
    stops: bool
    message: str
    column: str | None = None
    lines: tuple[int, ...] = ()


def examine(dataset: Dataset, table: Table, checks: Checks) -> list[Finding]:
    """Everything at once that is wrong with a table, and what is only worth knowing; the former first."""
    import pandera.pandas as pa

    frame = frame_of(dataset, table)
    lines = table.lines.tolist() or list(range(1, len(table.target) + 1))
    repeats, chance = repeated_rows(frame), repeats_by_chance(frame)
    found: list[Finding] = []
    try:
        _schema(pa, dataset, checks, chance).validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        if "duplicates" in set(error.failure_cases["check"]):
            found.append(_duplicates(lines, repeats, chance, checks, stops=True))
        found += _findings(error.failure_cases, dataset, table, checks, lines)
    found.sort(key=lambda finding: finding.lines[0] if finding.column and finding.lines else 0)  # single cells last
    if repeats and not any(finding.check == "duplicates" for finding in found):
        found.append(_duplicates(lines, repeats, chance, checks, stops=False))
    return found + _notes(dataset, table)


def frame_of(dataset: Dataset, table: Table) -> "pd.DataFrame":
    """The table as pandera takes it: numbers as doubles, text as objects, the outcome last as 0 and 1."""
    import pandas as pd

    columns = {}
    for feature in dataset.features:
        if feature.name in table.columns:
            column = pd.Series(table.columns[feature.name], dtype=object)
            text = feature.type == "categorical" or column.map(lambda value: isinstance(value, str | bool)).any()
            columns[feature.name] = column if text else column.astype(float)
    return pd.DataFrame(columns | {dataset.target.column: table.target})


def repeated_rows(frame: "pd.DataFrame") -> dict[int, int]:
    """Each row that equals an earlier one in every column, with the first such row."""
    first = frame.groupby(list(frame.columns), dropna=False, sort=False).ngroup().to_numpy()
    _, starts, groups = np.unique(first, return_index=True, return_inverse=True)
    return {row: int(starts[group]) for row, group in enumerate(groups) if starts[group] != row}


def repeats_by_chance(frame: "pd.DataFrame") -> int:
    """Rows that would repeat an earlier one if the columns had nothing to do with each other.

    Of a table with a few columns of a few values most rows are alike and nothing is wrong: the count of the table with
    each column shuffled on its own tells how many of them need no explanation.
    """
    drawn = np.random.default_rng(0)
    return int(frame.apply(lambda column: drawn.permutation(column.to_numpy())).duplicated().sum())


def _schema(pa: Any, dataset: Dataset, checks: Checks, chance: int) -> Any:
    """The schema; each rule bears the name of its check, by which `_explained` knows it again."""

    def missing(column: "pd.Series") -> bool:
        return bool(column.isna().mean() <= checks.most_missing_share)

    def duplicates(frame: "pd.DataFrame") -> bool:
        limit = checks.most_duplicated_share * len(frame)
        return chance > limit or bool(frame.duplicated().sum() - chance <= limit)

    def whole(column: "pd.Series") -> "pd.Series":
        return column == column.round()

    def balance(outcome: "pd.Series") -> bool:
        return bool(checks.least_event_share <= outcome.mean() <= checks.most_event_share)

    columns = {}
    for feature in dataset.features:
        rules = [pa.Check(missing, error="missing share", ignore_na=False)]
        if feature.type == "categorical":
            rules.append(pa.Check.isin(feature.categories, error="vocabulary"))
        else:
            rules.append(pa.Check.in_range(feature.lowest, feature.highest, error="ranges"))
        if feature.type == "integer":
            rules.append(pa.Check(whole, error="ranges"))
        kind = object if feature.type == "categorical" else float
        columns[feature.name] = pa.Column(kind, rules, nullable=feature.nullable)
    columns[dataset.target.column] = pa.Column(int, pa.Check(balance, error="class balance"))
    return pa.DataFrameSchema(columns, pa.Check(duplicates, error="duplicates"), strict=True)


def _findings(cases: "pd.DataFrame", dataset: Dataset, table: Table, checks: Checks, lines: list[int]) -> list[Finding]:
    """Pandera's failure cases in our words: one finding a cell, a column or the table, each once."""
    features = {feature.name: feature for feature in dataset.features}
    found: dict[tuple[str, str, Any], Finding] = {}
    mistyped = {case.column for case in cases.itertuples() if str(case.check).startswith("dtype")}
    empty = {case.column for case in cases.itertuples() if case.check == "missing share"}
    for case in cases.itertuples():
        name, column = str(case.check), case.column
        if name == "column_in_dataframe":
            message = f"column {case.failure_case!r} is missing; add it, or take the feature out of the dataset file"
            found[name, case.failure_case, None] = Finding("schema", True, message, case.failure_case)
        elif name == "missing share":
            found[name, column, None] = _mostly_missing(column, table, checks)
        elif name == "class balance":
            found[name, column, None] = _unbalanced(column, dataset, table, checks)
        elif name == "not_nullable" and column not in empty:
            found["nulls", column, case.index] = _wrong_cell("nulls", features[column], table, lines, case.index)
        elif name.startswith("dtype"):
            found["schema", column, case.index] = _wrong_cell("schema", features[column], table, lines, case.index)
        elif name in ("vocabulary", "ranges") and column not in mistyped:
            found[name, column, case.index] = _wrong_cell(name, features[column], table, lines, case.index)
    return list(found.values())


def _wrong_cell(check: str, feature: Feature, table: Table, lines: list[int], row: int) -> Finding:
    value = table.columns[feature.name][row]
    message = f"line {lines[row]}, column {feature.name!r}: {value!r} {value_fault(feature, value)}"
    return Finding(check, True, message, feature.name, (lines[row],))


def _mostly_missing(column: str, table: Table, checks: Checks) -> Finding:
    values = table.columns[column]
    missing = sum(value is None for value in values)
    remedy = f"take the feature out of the dataset file, or raise most_missing_share in {HOME}"
    if missing == len(values):
        return Finding("missing share", True, f"column {column!r} has no value at all; fill it, or {remedy}", column)
    share = f"{missing:,} of {len(values):,} cells ({missing / len(values):.1%}) are empty"
    message = f"column {column!r}: {share}, at most {checks.most_missing_share:.1%} may be; {remedy}"
    return Finding("missing share", True, message, column)


def _unbalanced(column: str, dataset: Dataset, table: Table, checks: Checks) -> Finding:
    share = f"{int(table.target.sum()):,} of {len(table.target):,} rows ({table.target.mean():.2%})"
    allowed = f"{checks.least_event_share:.2%} to {checks.most_event_share:.2%}"
    remedy = f"mend target.event in the dataset file, add rows, or widen the bounds in {HOME}"
    message = f"column {column!r}: {share} are {dataset.target.event!r}, where {allowed} may be; {remedy}"
    return Finding("class balance", True, message, column)


def _duplicates(lines: list[int], repeats: dict[int, int], chance: int, checks: Checks, *, stops: bool) -> Finding:
    """Every repeated row, the first few of them in words."""
    named = [f"{lines[row]} (as line {lines[first]})" for row, first in list(repeats.items())[:NAMED]]
    more = f" and {len(repeats) - NAMED:,} more" if len(repeats) > NAMED else ""
    share = f"{len(repeats):,} of {len(lines):,} rows ({len(repeats) / len(lines):.1%}) repeat an earlier one in full"
    expected = f", where chance explains {chance:,}" if chance else ""
    limit = f" and at most {checks.most_duplicated_share:.1%} may" if stops else ""
    remedy = f"; remove them, or raise most_duplicated_share in {HOME}" if stops else ""
    message = f"{share}{expected}{limit}: lines {', '.join(named)}{more}{remedy}"
    return Finding("duplicates", stops, message, lines=tuple(lines[row] for row in repeats))


def _notes(dataset: Dataset, table: Table) -> list[Finding]:
    """What stops nobody: columns of one value, categories that no row has."""
    notes = []
    for feature in dataset.features:
        values = set(table.columns.get(feature.name, ())) - {None}
        if len(values) == 1:
            message = f"column {feature.name!r} is always {next(iter(values))!r}; nothing can be learnt from it"
            notes.append(Finding("schema", False, message, feature.name))
            continue
        unused = [repr(category) for category in feature.categories if category not in values]
        if unused and values:
            message = f"column {feature.name!r}: no row has {', '.join(unused)}; nothing can be learnt of it"
            notes.append(Finding("vocabulary", False, message, feature.name))
    return notes
