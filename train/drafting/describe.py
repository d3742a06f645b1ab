"""`python -m train describe`: drafts the dataset file of a table, for a person to finish.

Owns reading the table and the lines of features and audits. Leaves how the file is written to `train.drafting.dialect`,
the contents of a column to `train.drafting.survey`, the choice of a feature to `train.drafting.proposal`, that of dates
and customers to `train.drafting.beside`, and the head to `train.drafting.heading`.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from configs.dataset import Source
from configs.feature import Feature
from models.spelling import difference, nearest
from train.drafting.beside import beside_of, may_be_time
from train.drafting.column_names import protected, words
from train.drafting.dialect import sniff, with_numbers_and_nulls
from train.drafting.heading import head_of
from train.drafting.proposal import Proposal, propose
from train.drafting.survey import MAX_CATEGORIES, Survey, survey
from train.drafting.yaml_text import line_of, list_of, quoted
from train.errors import Faults, TableError
from train.tables.numbers import NumberFormat
from train.tables.parquet_file import text_of
from train.tables.reader import TableChunk, read_table

MISSING_FILE = "give the path of a CSV or Parquet table"

MAX_GROUPS = 10  # groups per audit; more would be too small to compare
MAX_OUTCOMES = 20  # values of the target per message
ADULT = 25.0  # the usual boundary for age in credit in the fairness literature (Kamiran and Calders, 2009)


def describe(path: Path, target: str, event: str | None) -> str:
    """The draft of a dataset file, as YAML.

    Args:
        path: the table; the draft contains this path.
        target: the column to predict.
        event: the value of the target whose probability to predict, as text.
    """
    source, table = _whole(path, target)
    outcomes = _outcomes(path, table, target, event)
    form = NumberFormat.of(source)
    event_occurred = [outcome == event for outcome in outcomes]
    surveys, kept = _surveys(table, target, event_occurred, form)
    beside = beside_of(surveys)
    keys = {column: key for key, (column, _) in beside.items()}
    proposals: list[Proposal] = []
    left_out = dict(table.unusable)
    if table.unnamed:
        left_out[""] = f"{table.unnamed} columns without a name; name them in the header to include them"
    audit: list[str] = []
    for column in surveys:
        name = column.name
        proposal = f"named as {keys[name]} under source" if name in keys else propose(column, target)
        if isinstance(proposal, str):
            left_out[name] = proposal
            continue
        proposals.append(proposal)
        if proposal.feature.protected:
            audit += _audit(proposal.feature, kept[name], form)
    if all(proposal.feature.protected for proposal in proposals):
        faults = [f"column {name!r} is left out: {reason}" for name, reason in left_out.items()]
        faults += [f"column {proposal.feature.name!r} looks protected by its name" for proposal in proposals]
        raise TableError(path, ["no column is left as an input of the model", *faults])
    counts = Counter(outcomes)
    lines = head_of(source, target, str(event), counts, proposals, left_out, beside)
    for proposal in proposals:
        lines += ["", *_feature(proposal)]
    if left_out:
        lines += ["", "# Left out; to include one, add it as a feature above:"]
        lines += [f"#   {quoted(name)}: {reason}" for name, reason in left_out.items()]
    if audit:
        key = "# audit:" if all(line.startswith("#") for line in audit) else "audit:"
        lines += ["", line_of(key, "groups for the fairness checks; review"), *audit]
    return "\n".join(lines) + "\n"


def _surveys(
    table: TableChunk, target: str, event_occurred: list[bool], form: NumberFormat
) -> tuple[list[Survey], dict[str, list[Any]]]:
    """What each column holds, and the cells of those that may be audited; the others are freed one by one."""
    surveys, kept = list[Survey](), dict[str, list[Any]]()
    for name in list(table.columns):
        cells = table.columns.pop(name)
        if name != target:
            surveys.append(survey(name, cells, event_occurred, form))
            if protected(name):
                kept[name] = cells
    return surveys, kept


def _whole(path: Path, target: str) -> tuple[Source, TableChunk]:
    """How the table is written, and every row of every column."""
    source = sniff(path, MISSING_FILE)
    faults, columns, lines = Faults(), dict[str, list[Any]](), list[int]()
    unusable, unnamed = dict[str, str](), 0
    for chunk in read_table(source, None, faults, MISSING_FILE, lambda name: name != target and may_be_time(name)):
        for name, cells in chunk.columns.items():
            columns.setdefault(name, []).extend(cells)
        lines.extend(chunk.lines)
        unusable |= chunk.unusable
        unnamed = max(unnamed, chunk.unnamed)
    faults.stop(path)
    source = with_numbers_and_nulls(source, columns, target)
    for name in columns.keys() - {target}:
        columns[name] = ["" if cell in source.null_values else cell for cell in columns[name]]
    return source, TableChunk(columns, lines, "", unusable, unnamed)


def _outcomes(path: Path, table: TableChunk, target: str, event: str | None) -> list[str]:
    """The target as text; raises if the event is missing or unusable."""
    if target in table.unusable:
        raise TableError(path, [f"column {target!r} {table.unusable[target]}"])
    if target not in table.columns or not target:
        named = ", ".join(name for name in table.columns if name)
        raise TableError(path, [f"column {target!r} is missing; the table has {named}"])
    outcomes = [text_of(value) for value in table.columns[target]]
    if not outcomes:
        raise TableError(path, ["has a header and no rows"])
    missing = [line for line, outcome in zip(table.lines, outcomes, strict=True) if outcome == ""]
    if missing:
        raise TableError(path, [f"line {line}, column {target!r}: the outcome is missing" for line in missing])
    counts = Counter(outcomes)
    if event is None or event not in counts:
        shown = [f"{value!r} ({rows:,} rows)" for value, rows in counts.most_common(MAX_OUTCOMES)]
        more = f" and {len(counts) - MAX_OUTCOMES:,} other values" if len(counts) > MAX_OUTCOMES else ""
        problem = "needs an event" if event is None else f"never takes the event {event!r}"
        near = nearest(event, counts) if event is not None else None
        problem += f", and {near!r} differs from it in {difference(near, event)}" if near and event else ""
        remedy = "give the one to predict as --event"
        raise TableError(path, [f"column {target!r} {problem}; it takes {', '.join(shown)}{more}; {remedy}"])
    if len(counts) > MAX_CATEGORIES + 1:
        problem = f"takes {len(counts) - 1:,} values beside the event {event!r}, over {MAX_CATEGORIES}"
        raise TableError(path, [f"column {target!r} {problem}; group them into a few outcomes"])
    fewest = min(counts[event], len(outcomes) - counts[event])
    if fewest < 2:
        both = f"{counts[event]:,} rows with the event {event!r} and {len(outcomes) - counts[event]:,} without"
        raise TableError(path, [f"column {target!r} has {both}; at least 2 of each are needed"])
    return outcomes


def _feature(proposal: Proposal) -> list[str]:
    feature, notes = proposal.feature, proposal.notes
    lines = [f"  - name: {quoted(feature.name)}", line_of(f"    type: {feature.type}", notes.get("type", ""))]
    if feature.type == "categorical":
        lines += list_of(
            "    categories:", [quoted(category) for category in feature.categories], notes.get("categories", "")
        )
    else:
        lines.append(line_of(f"    minimum: {_number(feature.lowest)}", notes.get("minimum", "")))
        lines.append(line_of(f"    maximum: {_number(feature.highest)}", notes.get("maximum", "")))
    lines += [
        line_of(f"    {key}: true", notes.get(key, "")) for key in ("nullable", "protected") if getattr(feature, key)
    ]
    return [*lines, "    # description:"]


def _audit(feature: Feature, cells: list[Any], form: NumberFormat) -> list[str]:
    """The fairness checks of one protected column."""
    head = f"  - column: {quoted(feature.name)}"
    if feature.type == "categorical":
        if len(feature.categories) > MAX_GROUPS:
            return [f"#{head[1:]}", f"#   groups: put the {len(feature.categories)} categories into a few groups"]
        groups = [f"      {quoted(category)}: [{quoted(category)}]" for category in feature.categories]
        return [head, "    groups:", *groups]
    parsed = (form.parse(cell) if isinstance(cell, str) else float(cell) for cell in cells if cell != "")
    values = sorted(value for value in parsed if value is not None)
    is_age = "age" in words(feature.name) and values[0] < ADULT <= values[-1]
    # The median, unless it is the minimum, below which there would be no group.
    middle = next(value for value in (values[len(values) // 2], values[-1]) if value > values[0])
    edge = ADULT if is_age else middle
    under = sum(value < edge for value in values)
    counted = f"under {_number(edge)}: {under:,} rows; {_number(edge)} and over: {len(values) - under:,}"
    return [head, line_of(f"    edges: [{_number(edge)}]", counted)]


def _number(value: float) -> str:
    """A number as people write it, as long as it parses to the same bits."""
    value += 0.0  # no minus before zero
    plain = f"{value:.0f}" if value.is_integer() and abs(value) < 1e16 else f"{value:g}"
    return plain if float(plain) == value else repr(value)
