"""`python -m train describe`: a first draft of the dataset file, from the table itself, for a person to finish.

Owns the text of the draft: what is asked of the reader, and YAML that gives back every name and value as it stands
in the table. Leaves what a column holds to `train.drafting.survey` and what to make of it to `train.drafting.proposal`.
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

MISSED_EVENT, FALSE_ALARM = 5, 1  # UCI's cost matrix of German Credit, for want of a better guess
WIDTH = 120  # columns of the file that a long vocabulary is wrapped to
REMARK = 44  # column at which the remarks stand, where there is room
MAX_GROUPS = 10  # groups that an audit compares; more are too small to compare
MAX_OUTCOMES = 20  # values of the target that a message lists
ADULT = 25.0  # the cut of the fairness literature on age in credit (Kamiran and Calders, 2009)
YAML_WORDS = re.compile(r"null|true|false|yes|no|on|off|y|n", re.IGNORECASE)
NO_NUMBER = re.compile(r"^[^\W\d_]|[g-np-wyz]", re.IGNORECASE)  # 0_to_200, but not 1_000, 1e3, 0x1f or 0o7


def describe(path: Path, target: str, event: str | None) -> str:
    """The draft of a dataset file, as YAML.

    Args:
        path: the table; the draft names it as it is given here.
        target: the column to predict.
        event: the value of the target whose probability is wanted, as text.
    """
    if not path.is_file():
        raise TableError(path, ["no such file; give the path of a CSV or Parquet table"])
    table = _whole(path)
    outcomes = _outcomes(path, table, target, event)
    happened = [outcome == event for outcome in outcomes]
    proposals: list[Proposal] = []
    left_out: dict[str, str] = {}
    audit: list[str] = []
    for name in list(table.columns):
        cells = table.columns.pop(name)  # given back column by column, the table leaves room for the counts
        if name == target:
            continue
        proposal = propose(survey(name, cells, happened), target)
        if isinstance(proposal, str):
            left_out[name] = proposal
            continue
        proposals.append(proposal)
        if proposal.feature.protected:
            audit += _audit(proposal.feature, cells)
    if all(proposal.feature.protected for proposal in proposals):
        faults = [f"column {name!r} is left out: {reason}" for name, reason in left_out.items()]
        faults += [f"column {proposal.feature.name!r} sounds protected by its name" for proposal in proposals]
        raise TableError(path, ["no column is left for the model to learn from", *faults])
    counts = Counter(outcomes)
    lines = _head(path, target, str(event), counts, len(table.lines), proposals, left_out)
    for proposal in proposals:
        lines += ["", *_feature(proposal)]
    if left_out:
        lines += ["", "# Left out; to take one in, write it as a feature above:"]
        lines += [f"#   {quoted(name)}: {reason}" for name, reason in left_out.items()]
    if audit:
        key = "# audit:" if all(line.startswith("#") for line in audit) else "audit:"
        lines += ["", _line(key, "groups that the fairness checks compare; review"), *audit]
    return "\n".join(lines) + "\n"


def _whole(path: Path) -> TableChunk:
    """Every row of every column."""
    faults, columns, lines = Faults(), dict[str, list[Any]](), list[int]()
    for batch in read_table(path, None, faults):
        for name, cells in batch.columns.items():
            columns.setdefault(name, []).extend(cells)
        lines.extend(batch.lines)
    faults.stop(path)
    return TableChunk(columns, lines)


def _outcomes(path: Path, table: TableChunk, target: str, event: str | None) -> list[str]:
    """The target's column as text; raises where no event can be told from it."""
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
        remedy = "give the one whose probability is wanted as --event"
        raise TableError(path, [f"column {target!r} {problem}; it takes {', '.join(shown)}{more}; {remedy}"])
    least = min(counts[event], len(outcomes) - counts[event])
    if least < 2:
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
    """All that stands before the first feature."""
    name = dataset_name(path.stem)
    shielded = [proposal.feature.name for proposal in proposals if proposal.feature.protected]
    leaks = [column for column, reason in left_out.items() if "LEAK" in reason]
    steps = ["is the event the outcome to avoid? and what does each mistake cost you? costs set the threshold"]
    if leaks:
        steps.append(f"possible leaks of the outcome, left out: {_listed(leaks)}")
    if left_out:
        steps.append("the columns left out, at the end of the features: is each rightly there?")
    threshold = f"{FALSE_ALARM} / ({FALSE_ALARM} + {MISSED_EVENT}) = {FALSE_ALARM / (FALSE_ALARM + MISSED_EVENT):.3f}"
    found = _listed(shielded) if shielded else "none found by name; mark those there are"
    steps.append(f"protected columns, recorded and audited but no input of the model: {found}")
    steps.append("ranges and vocabularies: the service refuses what lies outside, so leave room for what may come")
    steps.append("say what each column means in a description, and its unit: the API page shows them")
    steps.append("a reason: beside it names the column in the reasons that a declined applicant is told")
    others = ", ".join(quoted(value) for value, _ in counts.most_common(5) if value != event)
    more = ", ..." if len(counts) > 5 else ""
    taken = f"{len(proposals)} columns taken in, {len(left_out)} left out"
    return [
        f"# A draft, made from {rows:,} rows of {quoted(path.name)}: {taken}. It can be trained on as it is.",
        "# Only you know what the columns mean. Review:",
        *(f"#   {number}. {step}" for number, step in enumerate(steps, start=1)),
        f"# Then save it as configs/datasets/{name}.yaml and run",
        f"#   make serve DATASET=configs/datasets/{name}.yaml",
        _line(f"name: {name}", "also the model's name in BentoML, MLflow and V2"),
        "# description: what a row of the table is, whose, from where and when",
        "source:",
        _line(f"  path: {quoted(str(path))}", "" if path.is_absolute() else "seen from the folder that make runs in"),
        "  # license:",
        "  # citation:",
        "target:",
        _line(f"  column: {quoted(target)}", f"else {others}{more}"),
        _line(f"  event: {quoted(event)}", f"{counts[event]:,} rows ({counts[event] / rows:.1%})"),
        _line("costs:", f"a guess, yours to decide: these decline from {threshold} upwards"),
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
    """The categories in one line, or wrapped over several."""
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
    # The lowest value of the upper half, unless that is the lowest of all, and no group would lie under it.
    middle = next(value for value in (values[len(values) // 2], values[-1]) if value > values[0])
    edge = ADULT if is_age else middle
    under = sum(value < edge for value in values)
    counted = f"under {_number(edge)}: {under:,} rows; from there on: {len(values) - under:,}"
    return [head, _line(f"    edges: [{_number(edge)}]", counted)]


def _line(text: str, remark: str) -> str:
    return f"{text.ljust(REMARK)} # {remark}" if remark else text


def _number(value: float) -> str:
    """A number as a person writes it, and as it is read back to the last bit."""
    value += 0.0  # no minus before zero
    plain = f"{value:.0f}" if value.is_integer() and abs(value) < 1e16 else f"{value:g}"
    return plain if float(plain) == value else repr(value)


def dataset_name(stem: str) -> str:
    """A name that a dataset may have, from that of a file.

    >>> dataset_name("Kredit-Anträge (2024)"), dataset_name("都市")
    ('kredit_antrage_2024', 'dataset')
    """
    latin = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", latin).strip("_")[:63].strip("_") or "dataset"


def quoted(text: str) -> str:
    r"""A text as YAML that any reader takes for this very text, in one line; in quotes where they are needed.

    >>> quoted("own flat"), quoted("no"), quoted("1e3"), quoted("a: b"), quoted(" "), quoted("x\ny")
    ('own flat', '"no"', '"1e3"', '"a: b"', '" "', '"x\\ny"')
    """
    harmless = re.fullmatch(r"[\w/](?:[\w ./()%+-]*[\w)%+])?", text) and text.isprintable()
    if harmless and not YAML_WORDS.fullmatch(text) and NO_NUMBER.search(text):
        return text
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character, f"\\U{ord(character):08x}")
