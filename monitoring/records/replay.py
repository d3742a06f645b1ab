"""Replay: past decisions scored again by the version that made them.

Owns: which decisions are replayed, and what counts as equal: the same bits of the probability, and the same decision.
Leaves to others: finding the version (models_archive), scoring (`models.scorer`), reading (segments, archive), whether
a record was altered (verify).

Rows are scored one by one, which gives the same bits as the batch that they were in. Another kind of processor may give
others in the last place: replay on the kind that decided.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from configs.dataset import RESERVED
from models.artifact import Artifact
from monitoring.records.lines import Row
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.models_archive import VersionGone
from monitoring.records.segments import archive_path, archives, read, segments


class Decided(NamedTuple):
    """One logged decision."""

    time: datetime
    model: str
    row: Row


class Outcome(msgspec.Struct, frozen=True):
    """What was decided, or is now."""

    probability: float | None
    decision: str


class Different(msgspec.Struct, frozen=True):
    """A decision that comes out differently; `now` is None where the version does not take the logged values."""

    application_id: str
    logged: Outcome
    now: Outcome | None
    model: str
    time: datetime


class Gone(msgspec.Struct, frozen=True):
    """A version that is not to be found, and the number of rows that it decided."""

    model: str
    rows: int
    why: str


class Replay(msgspec.Struct, frozen=True):
    """The result.

    Attributes:
        replayed: rows scored again.
        equal: those of them that came out as logged.
        different: the others.
        erased: rows without values, which nobody can score again.
        gone: versions that are not to be found.
    """

    replayed: int
    equal: int
    different: list[Different]
    erased: int
    gone: list[Gone]


def decisions(directory: Path, keys: LogKeys = NO_KEYS) -> Iterator[Decided]:
    """Iterate over every logged decision: segments first, then the archives of other segments.

    Raises:
        KeyMissing: a file is encrypted with another key.
    """
    known = set()
    for segment in segments(directory):
        found = False
        for batch, _ in read(segment, keys=keys):
            found = True
            for row in batch.rows:
                yield Decided(batch.time, batch.model, row)
        if found:
            known.add(archive_path(directory, segment).name)  # compaction may have been between writing and deleting
    paths = [path for path in archives(directory) if path.name not in known]
    if paths:
        from monitoring.records import archive
    for path in paths:
        for time, model, row in archive.read_rows(path, keys):
            yield Decided(time, model, row)


def between(found: Iterable[Decided], since: datetime | None, until: datetime | None) -> Iterator[Decided]:
    """Those logged at `since` or later, and before `until`."""
    return (one for one in found if (since is None or one.time >= since) and (until is None or one.time < until))


def sample(found: Iterable[Decided], size: int, below: Callable[[int], int] = secrets.randbelow) -> list[Decided]:
    """A sample of `size`, each as likely as any other, in one pass (algorithm R: Vitter, 1985); drawn anew each time.

    >>> sample([1, 2], 5), len(sample(range(100), 5))
    ([1, 2], 5)
    """
    drawn: list[Decided] = []
    for number, one in enumerate(found):
        if number < size:
            drawn.append(one)
        elif (place := below(number + 1)) < size:
            drawn[place] = one
    return drawn


def replay(found: Iterable[Decided], find_model: Callable[[str], Artifact]) -> Replay:
    """Score decisions again; `find_model` returns the artifact of a tag or raises `VersionGone`."""
    scorers: dict[str, Callable[[Any], Outcome | None]] = {}
    gone: dict[str, str] = {}
    gone_rows: Counter[str] = Counter()
    equal = erased = 0
    different = []
    for time, model, row in found:
        if not row.applicant.get(RESERVED):
            erased += 1
            continue
        if model not in scorers and model not in gone:
            try:
                scorers[model] = _scorer(find_model(model))
            except VersionGone as error:
                gone[model] = str(error)
        if model in gone:
            gone_rows[model] += 1
            continue
        logged, now = Outcome(row.probability, row.decision), scorers[model](row.applicant)
        if logged == now:
            equal += 1
        else:
            different.append(Different(row.applicant[RESERVED], logged, now, model, time))
    missing = [Gone(model, gone_rows[model], why) for model, why in gone.items()]
    return Replay(equal + len(different), equal, different, erased, missing)


def _scorer(model: Artifact) -> Callable[[dict[str, Any]], Outcome | None]:
    """A function from logged values to what the version makes of them; None where its schema refuses them."""
    scorer, row_type = model.encoded_scorer(), model.schema.row

    def score(applicant: dict[str, Any]) -> Outcome | None:
        sent = {name: value for name, value in applicant.items() if value is not None}
        try:
            row = msgspec.convert(sent, row_type)
        except msgspec.ValidationError:
            return None
        ((probability, decision),) = scorer.score([row])
        return Outcome(probability if probability == probability else None, decision)  # JSON has no NaN

    return score
