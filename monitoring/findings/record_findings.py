"""Findings about the records and the served model: lag, silence, age, disk.

Owns: what is too much, by the bounds `watch_*` of `configs/monitoring.yaml`. Leaves to others: the numbers (log_state).
"""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from configs.monitoring import Monitoring
from models.artifact import MANIFEST, Manifest
from monitoring.findings.finding import Finding
from monitoring.findings.log_state import LogState, log_state
from monitoring.findings.part import Part
from monitoring.records.checkpoint import profiles_directory
from monitoring.records.log_keys import LogKeys
from monitoring.records.models_archive import archive_folder

DAY_S = 86_400
GIB = 1 << 30


def record_part(settings: Monitoring, keys: LogKeys, now: datetime) -> Part:
    """The findings of `record_findings`."""
    return Part(record_findings(settings, keys, now))


def record_findings(settings: Monitoring, keys: LogKeys, now: datetime) -> list[Finding]:
    """What is wrong with the records of `settings.directory`."""
    directory = Path(settings.directory)
    state = log_state(directory, keys)
    return [
        *_log(state, now),
        *_profiles(state, settings, now),
        *_traffic(state, settings, now),
        *_model(settings, now),
        *_disk(directory, settings.watch_free_bytes, now),
    ]


def _log(state: LogState, now: datetime) -> Iterator[Finding]:
    if state.lost:
        yield Finding(
            code="log_lag",
            subject="decisions",
            value=state.lost,
            bound=0,
            since=now,
            message=f"{state.lost:,} rows that were answered cannot be read back from the decision log",
            remedy="run `python -m monitoring verify`, which names the lines, and restore these files from a backup",
        )


def _profiles(state: LogState, settings: Monitoring, now: datetime) -> Iterator[Finding]:
    if state.oldest_pending is None:
        return
    lag_s = (now - state.oldest_pending).total_seconds()
    if lag_s > settings.watch_profile_lag_s:
        yield Finding(
            code="profile_lag",
            subject="profiles",
            value=round(lag_s, 3),
            bound=settings.watch_profile_lag_s,
            since=state.oldest_pending,
            message=f"{state.pending:,} logged rows are not profiled, the oldest for {_duration(lag_s)}",
            remedy="look for lines of the profiler in the service's log, and run `python -m monitoring catch-up`",
        )


def _traffic(state: LogState, settings: Monitoring, now: datetime) -> Iterator[Finding]:
    if state.newest is None or not settings.watch_no_traffic_s:
        return
    silence_s = (now - state.newest).total_seconds()
    if silence_s > settings.watch_no_traffic_s:
        yield Finding(
            code="no_traffic",
            subject="service",
            value=round(silence_s, 3),
            bound=settings.watch_no_traffic_s,
            since=state.newest,
            message=f"nothing has been scored for {_duration(silence_s)}",
            remedy="ask `/readyz`, and whoever calls the service: is its key valid, has its address changed",
        )


def _model(settings: Monitoring, now: datetime) -> Iterator[Finding]:
    model = served_model(settings)
    if model is None or not settings.watch_model_age_days:
        return
    age_days = (now - trained_at(model)).total_seconds() / DAY_S
    if age_days > settings.watch_model_age_days:
        yield Finding(
            code="stale_model",
            subject=f"{model.name}:{model.version}",
            value=round(age_days, 2),
            bound=settings.watch_model_age_days,
            since=trained_at(model) + timedelta(days=settings.watch_model_age_days),
            message=f"the served model was trained {age_days:,.0f} days ago",
            remedy="train on newer outcomes (`make train`), or validate this version again and raise the bound",
        )


def _disk(directory: Path, bound: int, now: datetime) -> Iterator[Finding]:
    free = shutil.disk_usage(directory).free
    if free < bound:
        yield Finding(
            code="disk",
            subject=str(directory),
            value=free,
            bound=bound,
            since=now,
            message=f"{free / GIB:.2f} GiB are free where the records are",
            remedy="free space, or run `python -m monitoring compact` and `retain`: a full disk refuses requests",
        )


def served_model(settings: Monitoring) -> Manifest | None:
    """The description of the version whose rows were profiled last, or else was kept last; None if there is none."""
    kept = {path.parent.parent.name + "/" + path.parent.name: path for path in _manifests(settings)}
    files = sorted(profiles_directory(Path(settings.directory)).glob("*/*/*.bin"), key=_written_at)
    tags = [f"{path.parent.parent.name}/{path.parent.name}" for path in files]
    known = [kept[tag] for tag in tags if tag in kept] or sorted(kept.values(), key=_written_at)
    return msgspec.json.decode(known[-1].read_bytes(), type=Manifest) if known else None


def trained_at(model: Manifest) -> datetime:
    """When a version was trained, in UTC."""
    found = datetime.fromisoformat(model.trained_at)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _manifests(settings: Monitoring) -> list[Path]:
    return list(archive_folder(settings).glob(f"*/*/{MANIFEST}"))


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # replaced by the profiler just now
        return 0.0


def _duration(seconds: float) -> str:
    """A time span for people.

    >>> _duration(59), _duration(3000), _duration(90000), _duration(864000)
    ('59 s', '50 min', '25 h', '10 days')
    """
    for unit, length in (("s", 1), ("min", 60), ("h", 3600)):
        if seconds < 60 * length or (unit == "h" and seconds < 2 * DAY_S):
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / DAY_S:.0f} days"
