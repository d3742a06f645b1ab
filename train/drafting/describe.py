"""`python -m train describe`: drafts the dataset file of a table, for a person to finish.

Owns the text of the draft: the review steps, and YAML that preserves every name and value of the table. Leaves the
contents of a column to `train.drafting.survey`, and the choice of a feature to `train.drafting.proposal`.
"""

import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

from configs.dataset import Feature
from train.drafting.column_names import words
from train.drafting.proposal import Proposal, propose
from train.drafting.survey import survey
from train.errors import Faults, TableError
from train.tables.reader import TableChunk, read_table

MISSED_EVENT, FALSE_ALARM = 5, 1  # UCI's cost matrix of German Credit, as a starting point
WIDTH = 120  # characters per line, at which a long vocabulary is wrapped
COMMENT_COLUMN = 44  # character at which comments start, if there is room
MAX_GROUPS = 10  # groups per audit; more would be too small to compare
MAX_OUTCOMES = 20  # values of the target per message
ADULT = 25.0  # the usual boundary for age in credit in the fairness literature (Kamiran and Calders, 2009)
YAML_WORDS = re.compile(r"null|true|false|yes|no|on|off|y|n", re.IGNORECASE)
NOT_A_NUMBER = re.compile(r"^[^\W\d_]|[g-np-wyz]", re.IGNORECASE)  # 0_to_200, but not 1_000, 1e3, 0x1f or 0o7


def describe(path: Path, target: str, event: str | None) -> str:
    """The draft of a dataset file, as YAML.

    Args:
        path: the table; the draft contains this path.
        target: the column to predict.
        event: the value of the target whose probability to predict, as text.
    """
    if not path.is_file():
        raise TableError(path, ["no such file; give the path of a CSV or Parquet table"])
    table = _whole(path)
    outcomes = _outcomes(path, table, target, event)
    event_occurred = [outcome == event for outcome in outcomes]
    proposals: list[Proposal] = []
    left_out: dict[str, str] = {}
    audit: list[str] = []
    for name in list(table.columns):
        cells = table.columns.pop(name)  # frees each column before its counts take memory
        if name == target:
            continue
        proposal = propose(survey(name, cells, event_occurred), target)
        if isinstance(proposal, str):
            left_out[name] = proposal
            continue
        proposals.append(proposal)
        if proposal.feature.protected:
            audit += _audit(proposal.feature, cells)
    if all(proposal.feature.protected for proposal in proposals):
        faults = [f"column {name!r} is left out: {reason}" for name, reason in left_out.items()]
        faults += [f"column {proposal.feature.name!r} looks protected by its name" for proposal in proposals]
        raise TableError(path, ["no column is left as an input of the model", *faults])
    counts = Counter(outcomes)
    lines = _head(path, target, str(event), counts, len(table.lines), proposals, left_out)
    for proposal in proposals:
        lines += ["", *_feature(proposal)]
    if left_out:
        lines += ["", "# Left out; to include one, add it as a feature above:"]
        lines += [f"#   {quoted(name)}: {reason}" for name, reason in left_out.items()]
    if audit:
        key = "# audit:" if all(line.startswith("#") for line in audit) else "audit:"
        lines += ["", _line(key, "groups for the fairness checks; review"), *audit]
    return "\n".join(lines) + "\n"


def _whole(path: Path) -> TableChunk:
    """Every row of every column."""
    faults, columns, lines = Faults(), dict[str, list[Any]](), list[int]()
    for chunk in read_table(path, None, faults):
        for name, cells in chunk.columns.items():
            columns.setdefault(name, []).extend(cells)
        lines.extend(chunk.lines)
    faults.stop(path)
    return TableChunk(columns, lines)


def _outcomes(path: Path, table: TableChunk, target: str, event: str | None) -> list[str]:
    """The target as text; raises if the event is missing or unusable."""
    if target not in table.columns or not target:
        named = ", ".join(name for name in table.columns if name)
        raise TableError(path, [f"column {target!r} is missing; the table has {named}"])
    outcomes = [str(value) for value in table.columns[target]]
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
        remedy = "give the one to predict as --event"
        raise TableError(path, [f"column {target!r} {problem}; it takes {', '.join(shown)}{more}; {remedy}"])
    fewest = min(counts[event], len(outcomes) - counts[event])
    if fewest < 2:
        both = f"{counts[event]:,} rows with the event {event!r} and {len(outcomes) - counts[event]:,} without"
        raise TableError(path, [f"column {target!r} has {both}; at least 2 of each are needed"])
    return outcomes


def _head(
    path: Path,
    target: str,
    event: str,
    counts: Counter[str],
    rows: int,
    proposals: list[Proposal],
    left_out: dict[str, str],
) -> list[str]:
    """The lines before the first feature."""
    name = dataset_name(path.stem)
    protected = [proposal.feature.name for proposal in proposals if proposal.feature.protected]
    leaks = [column for column, reason in left_out.items() if "LEAK" in reason]
    steps = ["is the event the outcome to avoid, and what does each mistake cost? the costs set the threshold"]
    if leaks:
        steps.append(f"possible leaks of the outcome, left out: {_listed(leaks)}")
    if left_out:
        steps.append("columns left out, listed after the features: is each one correct?")
    threshold = f"{FALSE_ALARM} / ({FALSE_ALARM} + {MISSED_EVENT}) = {FALSE_ALARM / (FALSE_ALARM + MISSED_EVENT):.3f}"
    found = _listed(protected) if protected else "none found by name; mark any that are"
    steps.append(f"protected columns, recorded and audited but never an input of the model: {found}")
    steps.append("ranges and vocabularies: the service rejects anything outside, so leave room for future values")
    steps.append("add a description and a unit to each column: the API page shows them")
    steps.append("add a reason too: it names the column in the reasons given to a declined applicant")
    others = ", ".join(quoted(value) for value, _ in counts.most_common(5) if value != event)
    more = ", ..." if len(counts) > 5 else ""
    taken = f"{len(proposals)} columns included, {len(left_out)} left out"
    return [
        f"# A draft from {rows:,} rows of {quoted(path.name)}: {taken}. It can be used for training as it is.",
        "# Only you know what the columns mean. Review:",
        *(f"#   {number}. {step}" for number, step in enumerate(steps, start=1)),
        f"# Then save it as configs/datasets/{name}.yaml and run",
        f"#   make serve DATASET=configs/datasets/{name}.yaml",
        _line(f"name: {name}", "also the model's name in BentoML, MLflow and V2"),
        "# description: what a row of the table is, and where and when it comes from",
        "source:",
        _line(f"  path: {quoted(str(path))}", "" if path.is_absolute() else "relative to the folder that make runs in"),
        "  # license:",
        "  # citation:",
        "target:",
        _line(f"  column: {quoted(target)}", f"other values: {others}{more}"),
        _line(f"  event: {quoted(event)}", f"{counts[event]:,} rows ({counts[event] / rows:.1%})"),
        _line("costs:", f"a guess, yours to decide: these decline at {threshold} and above"),
        _line(f"  missed_event: {MISSED_EVENT}", "approved, and the event happens"),
        _line(f"  false_alarm: {FALSE_ALARM}", "declined, and the event would not have happened"),
        "features:",
    ]


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(quoted(name) for name in names[:5]) + more


def _feature(proposal: Proposal) -> list[str]:
    feature, notes = proposal.feature, proposal.notes
    lines = [f"  - name: {quoted(feature.name)}", _line(f"    type: {feature.type}", notes.get("type", ""))]
    if feature.type == "categorical":
        lines += _vocabulary(feature.categories, notes.get("categories", ""))
    else:
        lines.append(f"    minimum: {_number(feature.lowest)}")
        lines.append(_line(f"    maximum: {_number(feature.highest)}", notes.get("maximum", "")))
    lines += [
        _line(f"    {key}: true", notes.get(key, "")) for key in ("nullable", "protected") if getattr(feature, key)
    ]
    return [*lines, "    # description:"]


def _vocabulary(categories: tuple[str, ...], note: str) -> list[str]:
    """The categories on one line, or wrapped over several."""
    texts = [quoted(category) for category in categories]
    one = f"    categories: [{', '.join(texts)}]"
    if len(one) <= WIDTH:
        return [*([f"    # {note}"] if note else []), one]
    lines = [_line("    categories: [", note)]
    current = "     "
    for text in texts:
        if len(current) + len(text) + 2 > WIDTH and current.strip():
            lines.append(current)
            current = "     "
        current += f" {text},"
    return [*lines, current, "    ]"]


def _audit(feature: Feature, cells: list[Any]) -> list[str]:
    """The fairness checks of one protected column."""
    head = f"  - column: {quoted(feature.name)}"
    if feature.type == "categorical":
        if len(feature.categories) > MAX_GROUPS:
            return [f"#{head[1:]}", f"#   groups: put the {len(feature.categories)} categories into a few groups"]
        groups = [f"      {quoted(category)}: [{quoted(category)}]" for category in feature.categories]
        return [head, "    groups:", *groups]
    values = sorted(float(cell) for cell in cells if cell != "")
    is_age = "age" in words(feature.name) and values[0] < ADULT <= values[-1]
    # The median, unless it is the minimum, below which there would be no group.
    middle = next(value for value in (values[len(values) // 2], values[-1]) if value > values[0])
    edge = ADULT if is_age else middle
    under = sum(value < edge for value in values)
    counted = f"under {_number(edge)}: {under:,} rows; {_number(edge)} and over: {len(values) - under:,}"
    return [head, _line(f"    edges: [{_number(edge)}]", counted)]


def _line(text: str, comment: str) -> str:
    return f"{text.ljust(COMMENT_COLUMN)} # {comment}" if comment else text


def _number(value: float) -> str:
    """A number as people write it, as long as it parses to the same bits."""
    value += 0.0  # no minus before zero
    plain = f"{value:.0f}" if value.is_integer() and abs(value) < 1e16 else f"{value:g}"
    return plain if float(plain) == value else repr(value)


def dataset_name(stem: str) -> str:
    """A valid dataset name from the name of a file.

    >>> dataset_name("Kredit-Anträge (2024)"), dataset_name("都市")
    ('kredit_antrage_2024', 'dataset')
    """
    latin = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", latin).strip("_")[:63].strip("_") or "dataset"


def quoted(text: str) -> str:
    r"""Text as one line of YAML that every parser reads as this text; quoted where necessary.

    >>> quoted("own flat"), quoted("no"), quoted("1e3"), quoted("a: b"), quoted(" "), quoted("x\ny")
    ('own flat', '"no"', '"1e3"', '"a: b"', '" "', '"x\\ny"')
    """
    harmless = re.fullmatch(r"[\w/](?:[\w ./()%+-]*[\w)%+])?", text) and text.isprintable()
    if harmless and not YAML_WORDS.fullmatch(text) and NOT_A_NUMBER.search(text):
        return text
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character, f"\\U{ord(character):08x}")
