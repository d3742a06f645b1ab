"""Which profile a row belongs to."""

from datetime import UTC, datetime, timedelta

from monitoring.profiles.profiler import Profiler
from monitoring.profiles.whylogs_compat import DatasetProfileView
from monitoring.records import checkpoint
from monitoring.records.checkpoint import profiles_directory
from monitoring.records.line_encoding import encode_line
from monitoring.records.lines import Batch

START = datetime(2026, 11, 21, 4, tzinfo=UTC)


def test_each_model_and_window_has_its_own_profile(tmp_path, rows):
    (tmp_path / "decisions").mkdir()
    batches = [
        Batch(0, START, "m:1", rows(1)),
        Batch(1, START + timedelta(seconds=3599.999999), "m:1", rows(2)),
        Batch(3, START + timedelta(hours=1), "m:1", rows(4)),
        Batch(7, START, "m:2", rows(8)),
    ]
    (tmp_path / "decisions/x.log").write_bytes(b"".join(encode_line(batch).content for batch in batches))
    Profiler(tmp_path, window_s=3600, frame_rows=1024).advance()
    found = {}
    for path in profiles_directory(tmp_path).rglob("*.bin"):
        view = DatasetProfileView.read(str(path))
        name = path.relative_to(tmp_path).as_posix()
        found[name] = (view.get_column("purpose").get_metric("counts").n.value, view.dataset_timestamp.hour)
    assert found == {
        "profiles/m/1/20261121T040000Z.bin": (3, 4),
        "profiles/m/1/20261121T050000Z.bin": (4, 5),
        "profiles/m/2/20261121T040000Z.bin": (8, 4),
    }


def test_a_backlog_of_many_windows_takes_several_commits(tmp_path, rows, profile_totals, log_totals):
    (tmp_path / "decisions").mkdir()
    lines = [encode_line(Batch(2 * i, START + timedelta(hours=i), "m:1", rows(2, i))).content for i in range(40)]
    (tmp_path / "decisions/x.log").write_bytes(b"".join(lines))
    profiler = Profiler(tmp_path, window_s=3600, frame_rows=1024)
    while profiler.advance():
        pass
    assert checkpoint.load(profiles_directory(tmp_path)).generation >= 3
    assert profile_totals(tmp_path) == log_totals(tmp_path)
