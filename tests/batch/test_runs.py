"""Runs of the command: killed at any moment, started again, started twice, and with something else than before."""

import json
import os
import signal
import time
from contextlib import suppress

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch.errors import BatchError
from batch.run import Options, run
from models.artifact import Artifact
from tests.batch.conftest import Batch, refused, scores
from tests.conftest import ROOT

PART_ROWS, PARTS = 50, 60
ROWS = PART_ROWS * PARTS
FAULTY = [row for row in range(ROWS) if row % 97 == 5]


@pytest.fixture(scope="module")
def table(policy_model, tmp_path_factory):
    """A table of Parquet with a refused row here and there, and no ids."""
    example = Artifact(policy_model.folder, retrain="make train").manifest.example
    columns = {name: [value] * ROWS for name, value in example.items()}
    columns["alter"] = [17 if row in FAULTY else 18 + row % 80 for row in range(ROWS)]
    columns["balance"] = [float(row) for row in range(ROWS)]
    path = tmp_path_factory.mktemp("table") / "t.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=PART_ROWS)
    return path


class Here:
    """The simplest engine that there can be."""

    def run(self, job, parts):
        """Score the parts, one after the other."""
        from batch.part import score_part

        return (score_part(job, part) for part in parts)


@pytest.fixture(scope="module")
def whole(policy_model, table, tmp_path_factory):
    """What a run gives that nobody disturbs, less its ids, which are its own."""
    out = tmp_path_factory.mktemp("whole")
    artifact = Artifact(policy_model.folder, retrain="make train")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", policy_model.environment["BENTOML_HOME"])
        patch.setenv("SCORER_DIRECTORY", str(out / "var"))
        totals = run(artifact, Here(), Options(str(table), str(out), False, False, ROWS), lambda *_: lambda *_: None)
    assert (totals.rows, totals.refused) == (ROWS - len(FAULTY), len(FAULTY))
    return scores(out).drop_columns("application_id"), refused(out)


@pytest.fixture
def batch(policy_model, tmp_path):
    """The command."""
    return Batch(policy_model, tmp_path)


def check(out, whole):
    """That a run ended with each row once, as if nothing had happened."""
    found = scores(out)
    assert found.drop_columns("application_id").equals(whole[0])
    assert len(set(found.column("application_id").to_pylist())) == found.num_rows
    assert sorted(refused(out), key=lambda line: line["row"]) == whole[1]
    assert [line["row"] for line in whole[1]] == FAULTY
    assert {(line["field"], line["value"], line["message"]) for line in whole[1]} == {
        ("alter", "17", "must be at least 18")
    }


def until(true):
    """Wait until it is, for a limited time."""
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def workers(process):
    """The processes that score, without multiprocessing's own."""
    found = []
    for child in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):  # one that was killed a moment ago, a zombie too
            if any("spawn_main" in word for word in child.cmdline()):
                found.append(child)
    return found


def test_a_driver_killed_midway_is_gone_on_from_and_each_row_is_there_once(batch, table, whole, tmp_path):
    out = tmp_path / "scores"
    more = ("--part-rows", str(PART_ROWS), "--processes", "1")
    process = batch.start(table, out, *more)
    until(lambda: len([*out.glob("part-*.parquet")]) >= 3)
    children = workers(process)
    process.kill()
    process.communicate()
    done = {path: path.stat().st_mtime_ns for path in out.glob("part-*.parquet")}
    until(lambda: not any(child.is_running() for child in children))
    assert 3 <= len(done) < PARTS
    result = batch.run(table, out, *more, "--json", "--archive")
    assert (result.returncode, result.stdout) == (1, "")
    assert "was begun without --archive; finish it so, or give another --out, or remove" in result.stderr
    result = batch.run(table, out, *more, "--json")
    assert result.returncode == 3, result.stderr
    check(out, whole)
    told = json.loads(result.stdout)
    assert (told["rows"], told["refused"]) == (ROWS - len(FAULTY), len(FAULTY))
    assert told["resumed"] >= 3 * PART_ROWS
    assert sum(told["decisions"].values()) == told["rows"]
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert {one["column"] for one in told["drift"]} > {"probability", "decision", "balance"}
    assert not [*(out / "_run/tmp").glob("*")]


def test_a_worker_killed_midway_is_replaced_and_one_that_always_dies_is_told(batch, table, whole, tmp_path):
    out = tmp_path / "scores"
    process = batch.start(table, out, "--part-rows", str(PART_ROWS), "--processes", "2")
    until(lambda: len([*out.glob("part-*.parquet")]) >= 2)
    workers(process)[0].kill()
    said, told = process.communicate(timeout=300)
    assert process.returncode == 3, told
    check(out, whole)
    assert "scored " in told
    assert "\r" not in told + said
    process = batch.start(table, tmp_path / "never", "--part-rows", str(ROWS), "--processes", "1")
    killed = set()
    while process.poll() is None:
        for child in workers(process):
            if child.pid not in killed:
                killed.add(child.pid)
                time.sleep(0.5)  # so that it has its part
                child.kill()
        time.sleep(0.01)
    said, told = process.communicate()
    assert (process.returncode, said, len(killed)) == (1, "", 3)
    assert f"3 processes ended while they scored rows 0 to {ROWS - 1:,} of {table}" in told
    assert "Traceback" not in told


def test_a_second_run_into_the_folder_is_refused_and_so_is_another_table(batch, table, tmp_path):
    out = tmp_path / "scores"
    process = batch.start(table, out, "--part-rows", str(PART_ROWS), "--processes", "1")
    until((out / "_run/run.json").exists)
    process.send_signal(signal.SIGSTOP)
    second = batch.run(table, out)
    process.send_signal(signal.SIGCONT)
    assert second.returncode == 1
    assert f"another run is scoring into {out}; wait until it ends, or give another --out" in second.stderr
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode in (3, 130)
    assert "Traceback" not in told


def attempt(policy_model, options, artifact=None):
    """A run in this process; the message of what refuses it."""
    artifact = artifact or Artifact(policy_model.folder, retrain="make train")
    with pytest.raises(BatchError) as caught:
        run(artifact, Here(), options, lambda *_: lambda *_: None)
    return str(caught.value)


def test_a_folder_goes_on_only_with_what_it_was_begun_with(settings, policy_model, table, tmp_path):
    mine, out = tmp_path / "t.parquet", str(tmp_path / "scores")
    pq.write_table(pq.read_table(table).slice(0, 20), mine)
    options = Options(str(mine), out, explain=False, archive=True, part_rows=10)
    artifact = Artifact(policy_model.folder, retrain="make train")
    totals = run(artifact, Here(), options, lambda *_: lambda *_: None)
    assert totals.rows == 19
    assert run(artifact, Here(), options, lambda *_: lambda *_: None).resumed == 20
    assert "was begun without --explain" in attempt(policy_model, options._replace(explain=True))
    other = options._replace(table=str(table))
    assert f"was begun with the table {mine}, and this is {table}" in attempt(policy_model, other)
    other_model = Artifact(policy_model.folder, retrain="make train")
    other_model.manifest = type(artifact.manifest)(
        **{name: getattr(artifact.manifest, name) for name in artifact.manifest.__struct_fields__} | {"version": "0"}
    )
    told = attempt(policy_model, options, other_model)
    assert f"was begun with {artifact.tag}, and this is hand_made:0; finish it with --model {artifact.tag}, or" in told
    damaged = tmp_path / "scores/part-00001.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    assert "part-00001.parquet in the folder of the scores is damaged" in attempt(policy_model, options)
    damaged.unlink()
    assert run(artifact, Here(), options, lambda *_: lambda *_: None).resumed == 10
    os.utime(mine, (1, 1))
    assert "t.parquet as it was before somebody wrote it again; give another --out" in attempt(policy_model, options)
    (tmp_path / "others").mkdir()
    (tmp_path / "others/mine.txt").write_text("")
    told = attempt(policy_model, options._replace(out=str(tmp_path / "others")))
    assert "holds files that are no run's (mine.txt); give another --out" in told


def test_archived_rows_are_verified_and_erased_with_the_records_and_are_a_window_apart(batch, table, tmp_path):
    out, mine = tmp_path / "scores", tmp_path / "t.parquet"
    rows = pq.read_table(table).slice(0, 20)
    pq.write_table(rows.append_column("application_id", pa.array([f"B-{row}" for row in range(20)])), mine)
    done = batch.run(mine, out, "--archive", "--json", "--processes", "1")
    assert done.returncode == 3, done.stderr
    run_name = json.loads(done.stdout)["run"]

    def monitoring(*command):
        from tests.forks import TRAIN

        said = TRAIN.run("monitoring", list(command), ROOT, batch.environment)
        return said.returncode, said.stdout

    assert monitoring("status", "--json") == (0, '{"served": 0, "logged": 0, "profiled": 0, "pending": 0}\n')
    code, said = monitoring("drift", "--json")
    assert code in (0, 3)
    assert {(one["batch_run"], one["model"]) for one in json.loads(said)} == {(run_name, batch.tag)}
    assert json.loads(monitoring("verify", "--json")[1])["rows"] == 19
    assert "erased 1 row of batch runs" in monitoring("erase", "B-3")[1]
    code, said = monitoring("verify", "--json")
    assert (code, json.loads(said)["intact"]) == (0, True)
    from monitoring.records.segments import batch_directory, read, segments

    (segment,) = segments(batch_directory(tmp_path / "var"))
    kept = [row for lines, _ in read(segment) for row in lines.rows]
    by_id = {row["application_id"]: row for row in scores(out).to_pylist()}
    assert len(kept) == 19
    for row in kept:
        if "application_id" in row.applicant:
            made = by_id[row.applicant["application_id"]]
            assert (row.probability, row.decision, row.protocol) == (made["probability"], made["decision"], "batch")
    assert sum("application_id" not in row.applicant for row in kept) == 1
