"""The head of a draft: what to review, the source as it was guessed, the target, the costs.

Owns everything before the first feature. Leaves the features to `train.drafting.describe`.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from configs.dataset import Source
from models.spelling import difference, groups, nearest
from train.drafting.dialect import sample_of
from train.drafting.proposal import Proposal
from train.drafting.yaml_text import line_of, list_of, quoted
from train.tables.files import PATTERN

MISSED_EVENT, FALSE_ALARM = 5, 1  # UCI's cost matrix of German Credit, as a starting point


def head_of(
    source: Source,
    target: str,
    event: str,
    counts: Counter[str],
    proposals: list[Proposal],
    left_out: dict[str, str],
    beside: Mapping[str, tuple[str, str]],
) -> list[str]:
    """The lines before the first feature."""
    path, rows = Path(source.path), counts.total()
    name = dataset_name(_stem(path))
    protected = [proposal.feature.name for proposal in proposals if proposal.feature.protected]
    leaks = [column for column, reason in left_out.items() if "LEAK" in reason]
    outcome_lines, settled = _target(target, event, counts)
    steps = ["is the event the outcome to avoid, and what does each mistake cost? the costs set the threshold"]
    if not settled:
        steps.append("outcomes that look alike, listed under target: training stops until each is settled")
    if len(_format(source)):
        steps.append("how the file is written, listed under source: a guess")
    if beside:
        steps.append(f"{_listed([column for column, _ in beside.values()])}, under source: is each what its key says?")
    if leaks:
        steps.append(f"possible leaks of the outcome, left out: {_listed(leaks)}")
    if left_out:
        steps.append("columns left out, listed after the features: is each one correct?")
    threshold = f"{FALSE_ALARM} / ({FALSE_ALARM} + {MISSED_EVENT}) = {FALSE_ALARM / (FALSE_ALARM + MISSED_EVENT):.3f}"
    found = _listed(protected) if protected else "none found by name; mark any that are"
    steps.append(f"protected columns, recorded and audited but never an input of the model: {found}")
    similar = [proposal.feature.name for proposal in proposals if groups(proposal.feature.categories)]
    if similar:
        steps.append(f"categories that look alike, to be spelled alike in the table: {_listed(similar)}")
    steps.append("ranges and vocabularies: the service rejects anything outside, so leave room for future values")
    steps.append("add a description and a unit to each column: the API page shows them")
    steps.append("add a reason too: it names the column in the reasons given to a declined applicant")
    where = "" if path.is_absolute() else "relative to the folder that make runs in"
    taken = f"{len(proposals)} columns included, {len(left_out)} left out"
    use = "It can be used for training as it is." if settled else "Training needs the outcomes to be settled first."
    return [
        f"# A draft from {rows:,} rows of {quoted(path.name)}: {taken}. {use}",
        "# Only you know what the columns mean. Review:",
        *(f"#   {number}. {step}" for number, step in enumerate(steps, start=1)),
        f"# Then save it as configs/datasets/{name}.yaml and run",
        f"#   make serve DATASET=configs/datasets/{name}.yaml",
        line_of(f"name: {name}", "also the model's name in BentoML, MLflow and V2"),
        "# description: what a row of the table is, and where and when it comes from",
        "source:",
        line_of(f"  path: {quoted(str(path))}", where),
        *_format(source),
        *(line_of(f"  {key}: {quoted(column)}", note) for key, (column, note) in beside.items()),
        "  # license:",
        "  # citation:",
        *outcome_lines,
        line_of("costs:", f"a guess, yours to decide: these decline at {threshold} and above"),
        line_of(f"  missed_event: {MISSED_EVENT}", "approved, and the event happens"),
        line_of(f"  false_alarm: {FALSE_ALARM}", "declined, and the event would not have happened"),
        "features:",
    ]


def _stem(path: Path) -> str:
    """The name of a table without what tells its format; a pattern has that of its folder."""
    name = path.parent.name if PATTERN & set(path.name) else path.name
    return re.sub(r"(\.(csv|tsv|txt|parquet|pq))?(\.gz)?$", "", name, flags=re.IGNORECASE)


def _format(source: Source) -> list[str]:
    """The lines that say how a file differs from a CSV by RFC 4180 in UTF-8."""
    lines = []
    if source.separator != ",":
        lines.append(line_of(f"  separator: {quoted(source.separator)}", "between cells"))
    if source.decimal != ".":
        lines.append(line_of(f"  decimal: {quoted(source.decimal)}", "in numbers"))
    if source.thousands:
        lines.append(line_of(f"  thousands: {quoted(source.thousands)}", "between the thousands of numbers"))
    if source.encoding != "utf-8":
        sample = sample_of(Path(source.path), source.encoding)
        lines.append(
            line_of(f"  encoding: {source.encoding}", f"reads {quoted(sample)}: is that right?" if sample else "")
        )
    if source.null_values:
        listed = ", ".join(quoted(value) for value in source.null_values)
        lines.append(line_of(f"  null_values: [{listed}]", "read as missing, in every column"))
    return lines


def _target(target: str, event: str, counts: Counter[str]) -> tuple[list[str], bool]:
    """The lines about the target, and whether every outcome is settled: none is a look-alike of another."""
    others = [value for value, _ in counts.most_common() if value != event]
    doubtful: dict[str, str] = {}
    for place, value in enumerate(others):
        near = nearest(value, [event, *(other for other in others[:place] if other not in doubtful)])
        if near is not None:
            doubtful[value] = near
    plain = [value for value in others if value not in doubtful]
    shown = ", ".join(quoted(value) for value in plain[:5]) + (", ..." if len(plain) > 5 else "")
    lines = [
        "target:",
        line_of(f"  column: {quoted(target)}", f"other values: {shown}" if plain else ""),
        line_of(f"  event: {quoted(event)}", f"{counts[event]:,} rows ({counts[event] / counts.total():.1%})"),
    ]
    if plain and len(others) > 1:
        note = "the event did not happen; move to exclude: what is neither"
        lines += list_of("  non_event:", [quoted(value) for value in plain], note)
    for value, near in doubtful.items():
        differs = f"{quoted(value)} in {counts[value]:,} rows differs from {quoted(near)} in {difference(value, near)}"
        lines.append(f"  # {differs}: spell them alike, or name it in non_event or exclude")
    return lines, not doubtful


def dataset_name(stem: str) -> str:
    """A valid dataset name from the name of a file.

    >>> dataset_name("Kredit-Anträge (2024)"), dataset_name("都市")
    ('kredit_antrage_2024', 'dataset')
    """
    latin = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", latin).strip("_")[:63].strip("_") or "dataset"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(quoted(name) for name in names[:5]) + more
