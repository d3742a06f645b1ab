"""The dataset file: the single source of every fact about a table of past applications and its columns."""

import codecs
import re
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from configs.dates import day_of
from configs.feature import Feature, Name, feature_faults
from configs.policy import Costs, Refer, ScoreScale, policy_faults
from configs.source import ConfigError, read

RESERVED = "application_id"  # an applicant has it beside its features
ANSWERED = ("probability", "decision")  # the profiles have them beside the features


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where the table is, under what terms, and how its file differs from a CSV by RFC 4180 in UTF-8."""

    path: Name  # a file, a folder of parts, or a pattern; CSV, also compressed by gzip, or Parquet
    license: str = ""
    citation: str = ""
    separator: str = ","  # between the cells of a CSV: one character, such as ";", "|" or a tab, "\t"
    decimal: Literal[".", ","] = "."  # in the numbers of a CSV
    thousands: Literal["", ",", ".", " ", "\u00a0", "\u202f", "'", "\u2019", "_"] = ""  # likewise, between thousands
    encoding: str = "utf-8"  # of a CSV, by its name in Python, such as cp1252 or utf-16
    null_values: tuple[Name, ...] = ()  # what means a missing value, beside the empty cell: \N, <NA>, -999
    time: str = ""  # column with the date of each application; the newest rows are the test part
    group: str = ""  # column with who applied; nobody stands on two sides of a split
    weight: str = ""  # column with what a row counts, above 0: in fit, calibration, metrics and gates

    @property
    def beside(self) -> dict[str, str]:
        """The columns beside features and target that are there, by the key that names them."""
        return {key: getattr(self, key) for key in ("time", "group", "weight") if getattr(self, key)}


class Target(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The column to predict, and the value whose probability the model gives.

    Any other value has to be known: with one other it is plain what that means, and several are named.
    """

    column: Name
    event: Name
    non_event: tuple[str, ...] = ()  # the values of rows where the event did not happen; by default the only other one
    exclude: tuple[str, ...] = ()  # the values of rows to leave out, such as [indeterminate]; "" is a missing outcome
    mature_after_days: Annotated[int, Meta(ge=0, le=36_500)] = 0  # younger rows are left out; 0 leaves out none
    observed: str = ""  # date at which the outcomes were recorded, 2026-01-31; by default the newest in source.time


class Audit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Groups of one column that the fairness checks compare."""

    column: Name
    groups: dict[str, tuple[str, ...]] = {}
    edges: tuple[float, ...] = ()  # each edge starts a group: [25] makes under 25, and 25 and over


class Dataset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole dataset file."""

    name: Name
    description: str = ""
    source: Source
    target: Target
    costs: Costs
    features: Annotated[tuple[Feature, ...], Meta(min_length=1)]
    audit: tuple[Audit, ...] = ()
    prior: float | None = None  # share of the event in the population, where the table was sampled otherwise
    score: ScoreScale | None = None  # answers have points too, on this scale
    refer: Refer | None = None  # a band of probabilities in which a person decides

    @property
    def threshold(self) -> float | None:
        """The probability of the event from which declining costs less; None where the costs make one per applicant."""
        return self.costs.threshold


def read_dataset(path: Path) -> Dataset:
    """Read and check a dataset file."""
    dataset = read(path, Dataset)
    for key, problem, remedy in _faults(dataset):
        raise ConfigError(path, key, problem, remedy)
    return dataset


def _faults(dataset: Dataset) -> list[tuple[str, str, str]]:
    """What is inconsistent in a well-typed dataset file: key, problem, remedy."""
    faults = []
    if not re.fullmatch(r"[a-z0-9]([a-z0-9_]{0,61}[a-z0-9])?", dataset.name):  # what the BentoML store takes
        remedy = "use up to 63 lower-case letters, digits and, between them, underscores"
        faults.append(("name", f"{dataset.name!r} is not a name", remedy))
    faults += [(f"source.{where}", problem, remedy) for where, problem, remedy in _source_faults(dataset.source)]
    faults += [(f"target.{where}", problem, remedy) for where, problem, remedy in _target_faults(dataset.target)]
    faults += beside_faults(dataset)
    seen: set[str] = set()
    for index, feature in enumerate(dataset.features):
        key = f"features[{index}]"
        if feature.name in seen:
            faults.append((f"{key}.name", f"{feature.name!r} appears twice", "give each feature its own name"))
        if feature.name in (RESERVED, *ANSWERED, dataset.target.column):
            taken = "is the target" if feature.name == dataset.target.column else "is reserved by the service"
            faults.append((f"{key}.name", f"{feature.name!r} {taken}", "rename or remove the feature"))
        if any(letter in '"\\' or letter < " " for letter in feature.name):
            remedy = "rename the column without quotes, backslashes and control characters"
            faults.append((f"{key}.name", f"{feature.name!r} cannot be a JSON field without escapes", remedy))
        seen.add(feature.name)
        faults += [(f"{key}.{where}", problem, remedy) for where, problem, remedy in feature_faults(feature)]
    if all(feature.protected for feature in dataset.features):
        faults.append(("features", "every feature is protected", "leave at least one as an input of the model"))
    faults += policy_faults(dataset.costs, dataset.refer, {feature.name: feature for feature in dataset.features})
    for index, audit in enumerate(dataset.audit):
        found = _audit_faults(audit, dataset.features)
        faults += [(f"audit[{index}].{where}", problem, remedy) for where, problem, remedy in found]
    return faults


def _source_faults(source: Source) -> list[tuple[str, str, str]]:
    faults = []
    if len(source.separator) != 1 or source.separator.isalnum() or source.separator in '"\r\n.-+':
        remedy = 'give one character that no number has, such as ";", or "\\t" for a tab'
        faults.append(("separator", f"{source.separator!r} cannot separate cells", remedy))
    if source.decimal == source.thousands:
        remedy = "give the one that your numbers have, and leave the other out"
        faults.append(("thousands", f"{source.thousands!r} is the decimal mark too", remedy))
    try:
        known = getattr(codecs.lookup(source.encoding), "_is_text_encoding", True)
    except (LookupError, ValueError):
        known = False
    if not known:
        faults.append(("encoding", f"there is no encoding {source.encoding!r}", "try utf-8, cp1252 or utf-16"))
    if source.path.lower().endswith((".parquet", ".pq")):
        written = {"separator": ",", "decimal": ".", "thousands": "", "encoding": "utf-8"}
        set_here = [key for key, default in written.items() if getattr(source, key) != default]
        faults += [(key, "a Parquet file has none", "remove it; the types say how it is written") for key in set_here]
    return faults


def _target_faults(target: Target) -> list[tuple[str, str, str]]:
    faults = []
    for key in ("non_event", "exclude"):
        values = getattr(target, key)
        if target.event in values:
            faults.append((key, f"{target.event!r} is the event", f"remove it from {key}, or set another event"))
        if len(set(values)) != len(values):
            faults.append((key, "a value appears twice", "list each value once"))
    if both := sorted(set(target.non_event) & set(target.exclude)):
        faults.append(("exclude", f"{both[0]!r} is in non_event too", "leave it in one of the two"))
    if "" in target.non_event:
        faults.append(("non_event", "the empty text is a missing outcome", 'remove it, or exclude: [""]'))
    return faults


def beside_faults(dataset: Dataset) -> list[tuple[str, str, str]]:
    """What is inconsistent about time, group, weight and prior."""
    source, target, faults = dataset.source, dataset.target, []
    taken = {target.column: "target.column", **{feature.name: "a feature" for feature in dataset.features}}
    for key, column in source.beside.items():
        if column in taken:
            remedy = "name another column, or remove the feature: this one is never an input of the model"
            faults.append((f"source.{key}", f"{column!r} is {taken[column]} too", remedy))
        taken[column] = f"source.{key}"
    if target.mature_after_days and not source.time:
        remedy = "name the column with the date of each application in source.time"
        faults.append(("target.mature_after_days", "nothing says how old a row is", remedy))
    if target.observed and not target.mature_after_days:
        faults.append(("target.observed", "nothing has to be mature then", "add mature_after_days, or remove it"))
    if target.observed and day_of(target.observed) is None:
        faults.append(("target.observed", f"{target.observed!r} is not a date", "write it as 2026-01-31"))
    if dataset.prior is not None and not 0 < dataset.prior < 1:
        remedy = "give the event's share of all applicants, such as 0.04, or remove prior"
        faults.append(("prior", f"{dataset.prior:g} is not between 0 and 1", remedy))
    return faults


def _audit_faults(audit: Audit, features: tuple[Feature, ...]) -> list[tuple[str, str, str]]:
    feature = next((feature for feature in features if feature.name == audit.column), None)
    if feature is None:
        return [("column", f"there is no feature {audit.column!r}", "name one of the features")]
    if bool(audit.groups) == bool(audit.edges):
        return [("groups", "needs either groups or edges", "give groups for categories, edges for numbers")]
    if feature.type == "categorical":
        named = [category for group in audit.groups.values() for category in group]
        stray = sorted(set(named) - set(feature.categories))
        if audit.edges or stray:
            return [("groups", f"{stray or 'edges'} not in the vocabulary of {audit.column}", "use its categories")]
        if len(set(named)) != len(named):
            return [("groups", "a category is in two groups", "put each category into one group")]
    elif audit.groups or list(audit.edges) != sorted(set(audit.edges)):
        return [("edges", "must be increasing numbers", "sort them, and list each once")]
    return []
