"""The expectations of the dataset file and the checks file as a pandera schema, and its findings with line numbers.

Owns schema, vocabulary, ranges, nulls, missing share, duplicates and class balance. Leaves to others: the first check
of each cell (`train.check`), drift (`train.checks.quality`), and the words about a cell (`models.validation`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from configs.checks import Checks
from configs.dataset import Dataset
from configs.feature import Feature
from models.spelling import difference, groups
from models.validation import value_fault
from train.tables.column import NumberColumn
from train.tables.missing import EXACT_WORDS, code_among
from train.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd

CHECKS = ("schema", "vocabulary", "ranges", "nulls", "missing share", "duplicates", "class balance", "leaks")
MAX_LINES = 10  # line numbers per message
CHECKS_FILE = "configs/checks.yaml"


@dataclass(frozen=True)
class Finding:
    """A problem that a check found.

    Attributes:
        check: one of `CHECKS`, or `drift`.
        stops: whether it stops the pipeline; otherwise it is a warning.
        message: what is wrong, where, what is allowed and how to fix it.
        column: the column, if it concerns one.
        lines: the lines of the file, if it concerns rows.
    """

    check: str
    stops: bool
    message: str
    column: str | None = None
    lines: tuple[int, ...] = ()


def examine(dataset: Dataset, table: Table, checks: Checks) -> list[Finding]:
    """All problems of a table, those that stop the pipeline first."""
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
    return found + _few_events(dataset, table, checks) + _notes(dataset, table)


def frame_of(dataset: Dataset, table: Table) -> "pd.DataFrame":
    """The table as a DataFrame: numbers as doubles, text as objects, and last the outcome as 0 and 1."""
    import pandas as pd

    columns = {}
    for feature in dataset.features:
        if feature.name in table.columns:
            column = pd.Series(table.columns[feature.name], dtype=object)
            text = feature.type == "categorical" or column.map(lambda value: isinstance(value, str | bool)).any()
            columns[feature.name] = column if text else column.astype(float)
    return pd.DataFrame(columns | {dataset.target.column: table.target})


def repeated_rows(frame: "pd.DataFrame") -> dict[int, int]:
    """Each row that equals an earlier row in every column, and the first such row."""
    first = frame.groupby(list(frame.columns), dropna=False, sort=False).ngroup().to_numpy()
    _, starts, groups = np.unique(first, return_index=True, return_inverse=True)
    return {row: int(starts[group]) for row, group in enumerate(groups) if starts[group] != row}


def repeats_by_chance(frame: "pd.DataFrame") -> int:
    """Rows that would repeat an earlier row if the columns were independent.

    In a table with few columns of few values most rows repeat, and nothing is wrong: the same table with each column
    shuffled independently shows how many repeats to expect.
    """
    drawn = np.random.default_rng(0)
    return int(frame.apply(lambda column: drawn.permutation(column.to_numpy())).duplicated().sum())


def _schema(pa: Any, dataset: Dataset, checks: Checks, chance: int) -> Any:
    """The schema; each rule has the name of its check, which `_findings` looks for."""

    def missing(column: "pd.Series") -> bool:
        return bool(column.isna().mean() <= checks.most_missing_share)

    def duplicates(frame: "pd.DataFrame") -> bool:
        limit = checks.most_duplicated_share * len(frame)
        return chance > limit or bool(frame.duplicated().sum() - chance <= limit)

    def whole(column: "pd.Series") -> "pd.Series":
        return column == column.round()

    def balance(outcome: "pd.Series") -> bool:
        return _rarer(outcome.to_numpy())[1] >= checks.least_events and outcome.mean() <= checks.most_event_share

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
    """One finding per cell, column or table from pandera's failure cases."""
    features = {feature.name: feature for feature in dataset.features}
    found: dict[tuple[str, str, Any], Finding] = {}
    mistyped = {case.column for case in cases.itertuples() if str(case.check).startswith("dtype")}
    empty = {case.column for case in cases.itertuples() if case.check == "missing share"}
    for case in cases.itertuples():
        name, column = str(case.check), case.column
        if name == "column_in_dataframe":
            message = f"column {case.failure_case!r} is missing; add it, or remove the feature from the dataset file"
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
    remedy = f"remove the feature from the dataset file, or raise most_missing_share in {CHECKS_FILE}"
    if missing == len(values):
        return Finding("missing share", True, f"column {column!r} has no values; fill it, or {remedy}", column)
    share = f"{missing:,} of {len(values):,} cells ({missing / len(values):.1%}) are empty"
    message = f"column {column!r}: {share}, at most {checks.most_missing_share:.1%} are allowed; {remedy}"
    return Finding("missing share", True, message, column)


def _unbalanced(column: str, dataset: Dataset, table: Table, checks: Checks) -> Finding:
    which, count = _rarer(table.target)
    if count < checks.least_events:
        remedy = f"add rows, or lower least_events in {CHECKS_FILE}"
        message = f"column {column!r}: {count:,} rows {which}, where {checks.least_events:,} are needed; {remedy}"
        return Finding("class balance", True, message, column)
    share = f"{int(table.target.sum()):,} of {len(table.target):,} rows ({table.target.mean():.2%})"
    remedy = f"fix target.event in the dataset file, or raise most_event_share in {CHECKS_FILE}"
    most = f"where at most {checks.most_event_share:.2%} are allowed; {remedy}"
    return Finding("class balance", True, f"column {column!r}: {share} are {dataset.target.event!r}, {most}", column)


def _rarer(target: NDArray[np.int64]) -> tuple[str, int]:
    """The rarer outcome in words, and its rows: their count, not their share, is what folds and calibration live on."""
    events = int(target.sum())
    others = len(target) - events
    return ("with the event", events) if events <= others else ("without the event", others)


def _few_events(dataset: Dataset, table: Table, checks: Checks) -> list[Finding]:
    """A warning where there are enough events to train, and too few to know how good the model is."""
    which, count = _rarer(table.target)
    if not checks.least_events <= count < checks.few_events:
        return []
    message = f"{count:,} rows {which}: intervals are wide, and gates that demand proof may refuse for want of rows"
    return [Finding("class balance", False, message, dataset.target.column)]


def _duplicates(lines: list[int], repeats: dict[int, int], chance: int, checks: Checks, *, stops: bool) -> Finding:
    """The finding on repeated rows; the message lists the first few."""
    named = [f"{lines[row]} (as line {lines[first]})" for row, first in list(repeats.items())[:MAX_LINES]]
    more = f" and {len(repeats) - MAX_LINES:,} more" if len(repeats) > MAX_LINES else ""
    share = f"{len(repeats):,} of {len(lines):,} rows ({len(repeats) / len(lines):.1%}) repeat an earlier one in full"
    expected = f", of which chance explains {chance:,}" if chance else ""
    limit = f"; at most {checks.most_duplicated_share:.1%} are allowed" if stops else ""
    remedy = f"; remove them, or raise most_duplicated_share in {CHECKS_FILE}" if stops else ""
    message = f"{share}{expected}{limit}: lines {', '.join(named)}{more}{remedy}"
    return Finding("duplicates", stops, message, lines=tuple(lines[row] for row in repeats))


def _notes(dataset: Dataset, table: Table) -> list[Finding]:
    """Warnings: columns with a single value, and categories in no row."""
    notes = []
    for feature in dataset.features:
        values = set(table.columns.get(feature.name, ())) - {None}
        if len(values) == 1:
            message = f"column {feature.name!r} is always {next(iter(values))!r}; a model learns nothing from it"
            notes.append(Finding("schema", False, message, feature.name))
            continue
        unused = [repr(category) for category in feature.categories if category not in values]
        if unused and values:
            message = f"column {feature.name!r}: no row has {', '.join(unused)}; a model learns nothing about that"
            notes.append(Finding("vocabulary", False, message, feature.name))
        notes += _look_alikes(feature, table)
    return notes


def _look_alikes(feature: Feature, table: Table) -> list[Finding]:
    """Warnings: categories that look alike, words and numbers that mostly mean a missing value."""
    notes = []
    remedy = "list it in null_values under source, and set nullable: true"
    for group in groups(feature.categories):
        others = ", ".join(f"{other!r} in {difference(other, group[0])}" for other in group[1:])
        message = f"column {feature.name!r}: {len(group)} spellings of one value? from {group[0]!r} differ {others}"
        notes.append(Finding("vocabulary", False, message, feature.name))
    values = table.columns.get(feature.name)
    if isinstance(values, NumberColumn):
        code = code_among(value for value in values if value is not None)
        if code is not None:
            rows = int((values.array == code).sum())
            message = (
                f"column {feature.name!r}: {code:g}, in {rows:,} rows, stands apart; where it means missing, {remedy}"
            )
            notes.append(Finding("ranges", False, message, feature.name))
        return notes
    for category in feature.categories:
        if category.strip() in EXACT_WORDS:
            message = f"column {feature.name!r}: {category!r} mostly means a missing value; where it does, {remedy}"
            notes.append(Finding("vocabulary", False, message, feature.name))
    return notes
