"""Rows to log, and the totals of a log and of its profiles."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitoring.profiles.files import all_files, read_view
from monitoring.profiles.profiler import run
from monitoring.profiles.stopping import block_signals
from monitoring.profiles.whylogs_compat import DatasetProfileView
from monitoring.records.decision_log import DecisionLog
from monitoring.records.lines import Row
from monitoring.records.log_keys import NO_KEYS
from monitoring.records.segments import read, segments

Applicant = msgspec.defstruct(
    "Applicant",
    [
        ("age_years", int),
        ("purpose", str),
        ("savings", str | None),
        ("sex", str | msgspec.UnsetType, msgspec.UNSET),
        ("application_id", str, ""),
    ],
    gc=False,
)


def make_rows(number: int, first: int = 0) -> list[Row]:
    """Return different rows: every third has null for savings, every second has no sex."""
    return [
        Row(
            protocol="http",
            probability=(i % 100) / 100,
            decision="decline" if i % 100 > 16 else "approve",
            applicant=Applicant(
                age_years=18 + i % 60,
                purpose=("car", "möbel", "教育")[i % 3],
                savings=None if i % 3 == 0 else f"tier {i % 4}",
                sex="female" if i % 2 else msgspec.UNSET,
                application_id=f"application {i}",
            ),
        )
        for i in range(first, first + number)
    ]


@pytest.fixture
def rows() -> Callable[..., list[Row]]:
    """`rows(number, first)` returns rows, see `make_rows`."""
    return make_rows


@pytest.fixture
def log(tmp_path: Path) -> Iterator[DecisionLog]:
    """A log in `tmp_path`."""
    log = DecisionLog(tmp_path, segment_bytes=2**26)
    yield log
    log.close()


@pytest.fixture
def profile_totals() -> Callable[[Path], dict[str, Any]]:
    """`profile_totals(directory)` merges all profiles there and returns exact totals by column."""
    return lambda directory, keys=NO_KEYS: summarise([read_view(path, keys) for path in all_files(directory)])


def summarise(views: Sequence[DatasetProfileView]) -> dict[str, Any]:
    """Return counts, extremes, means and frequencies by column of merged profiles."""
    merged = views[0]
    for view in views[1:]:
        merged = merged.merge(view)
    columns: dict[str, Any] = {}
    for name, column in merged.get_columns().items():
        said = column.to_summary_dict()
        columns[name] = {
            "rows": said["counts/n"],
            "null": said["counts/null"],
            "frequencies": {item.value: item.est for item in said.get("frequent_items/frequent_strings", ())},
        }
        if said["types/fractional"]:
            columns[name] |= {what: round(said[f"distribution/{what}"], 9) for what in ("n", "min", "max", "mean")}
    return columns


@pytest.fixture
def log_totals() -> Callable[[Path], dict[str, Any]]:
    """`log_totals(directory)` counts the log there without whylogs, to compare with `profile_totals`."""
    return expected


def expected(directory: Path) -> dict[str, Any]:
    """Count the rows of a log by column."""
    logged = [row for segment in segments(directory) for batch, _ in read(segment) for row in batch.rows]
    columns: dict[str, Any] = {}
    for name in ("age_years", "purpose", "savings", "sex", "probability", "decision"):
        values = [
            getattr(row, name) if name in ("probability", "decision") else row.applicant.get(name) for row in logged
        ]
        present = [value for value in values if value is not None]
        texts = [value for value in present if isinstance(value, str)]
        columns[name] = {"rows": len(values), "null": len(values) - len(present), "frequencies": dict(Counter(texts))}
        if present and not texts:
            mean = sum(present) / len(present)
            columns[name] |= {"n": len(present), "min": min(present), "max": max(present), "mean": round(mean, 9)}
    return columns


@pytest.fixture
def fork() -> Iterator[Callable[[Callable[[], None]], int]]:
    """`fork(work)` runs `work` in a child process, without the 2 s of importing whylogs; returns its id."""
    children: list[int] = []

    def start(work: Callable[[], None]) -> int:
        child = os.fork()
        if child == 0:
            try:
                work()
            finally:
                os._exit(0)
        children.append(child)
        return child

    yield start
    for child in children:
        try:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


@pytest.fixture
def follow(tmp_path: Path) -> Callable[[], None]:
    """Follows the log in `tmp_path`, with frames and intervals short enough for many commits."""

    def work() -> None:
        block_signals()
        run(tmp_path, window_s=3600, frame_rows=64, interval_s=0.005, parent_pipe=None)

    return work
