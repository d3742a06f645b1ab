"""The comparison with the run before, and the folder of runs."""

import contextlib
import os

import msgspec
import psutil
import pytest

from loadtests.calibration import Calibration, calibrate, machine
from loadtests.judging import judged
from loadtests.objectives import read_slo
from loadtests.results.page import page
from loadtests.results.plot import plot
from loadtests.results.record import keep, last_passed, unfinished
from loadtests.verdict import missed_of
from tests.conftest import ROOT
from tests.loadtests.records import ledger, record

SLO = read_slo(ROOT / "loadtests/slo.yaml")


def at_speed(before_us: float, after_us: float | None = None, machine: str = "one") -> Calibration:
    return Calibration(before_us=before_us, after_us=after_us or before_us, machine=machine)


def compared(now, last):
    return {check.what: check for check in judged(now, SLO, last).checks if check.subject == "comparison"}


def test_a_slower_service_on_a_machine_of_the_same_speed_is_a_regression():
    run = judged(record(ledger(3.2)), SLO, record(ledger(2.0)))
    assert "comparison single" in missed_of(run.checks)
    assert not run.passed


def test_a_slower_machine_is_none():
    slower = record(ledger(4.0), calibration=at_speed(200))
    assert all(check.word == "pass" for check in compared(slower, record(ledger(2.0))).values())


def test_a_service_that_got_slower_behind_a_faster_machine_is_found():
    assert compared(record(ledger(2.0), calibration=at_speed(50)), record(ledger(2.0)))["single"].missed


@pytest.mark.parametrize(
    ("now", "last", "said"),
    [
        (record(), None, "no run of this kind has passed yet"),
        (record(on_this_machine=False), record(), "the service is on another machine"),
        (record(), record(calibration=at_speed(100, machine="two")), "ran on another machine: two"),
        (record(calibration=at_speed(100, 140)), record(), "changed by 40% during this run"),
    ],
)
def test_what_cannot_be_compared_says_why_and_fails_nothing(now, last, said):
    (check,) = compared(now, last).values()
    assert check.word == "not judged"
    assert said in check.note
    assert judged(now, SLO, last).passed


def test_medians_of_few_answers_are_not_compared():
    books = ledger(users=1)  # 10 of explain, 20 of batch, 100 of the others
    assert sorted(compared(record(books), record(books))) == ["grpc", "single", "v2"]


def kept(out, run):
    with unfinished(out) as (_, folder):
        return keep(run, folder, out)


def test_the_last_run_of_the_same_kind_that_passed_is_the_yardstick(tmp_path):
    wanted = record(time="20261126T120001Z")
    for run in (
        record(time="20261126T120000Z"),
        wanted,
        record(time="20261126T120002Z", passed=False),
        record(time="20261126T120003Z", users=21),
        record(time="20261126T120004Z", calibration=at_speed(100, 200)),
    ):
        kept(tmp_path, run)
    (tmp_path / "20261126T120005Z").mkdir()
    (tmp_path / "20261126T120005Z/results.json").write_text("{")
    found = last_passed(tmp_path, record().kind, SLO.calibration_change)
    assert found == wanted
    assert (tmp_path / "latest").readlink().name == "20261126T120004Z"


def test_two_runs_of_one_second_are_both_kept(tmp_path):
    assert kept(tmp_path, record()) != kept(tmp_path, record())


def test_a_run_that_ends_early_leaves_nothing(tmp_path):
    out = tmp_path / "var/load"
    with contextlib.suppress(KeyboardInterrupt), unfinished(out) as (_, folder):
        (folder / "outcome.json").touch()
        raise KeyboardInterrupt
    assert not out.exists()


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path):
    dead, alive = tmp_path / ".20261126T120000Z-999999999", tmp_path / f".20261126T120000Z-{os.getppid()}"
    for folder in (dead, alive):
        folder.mkdir()
    link = tmp_path / ".latest-999999999"
    link.symlink_to(alive.name)
    kept(tmp_path, record())
    assert not link.is_symlink()
    assert alive.exists()
    assert not dead.exists()


def test_page_and_plot_show_every_class_and_each_missed_check(tmp_path):
    books = ledger(70)
    books.refused("grpc", 3, "<script>")
    run = judged(record(books), SLO, None)
    plot(run, tmp_path / "plot.png")
    text = page(run, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    for name in run.measured:
        assert name in text
    assert 'class="missed"' in text
    assert "<script>" not in text
    assert "http://" not in text.replace(run.target, "")


def test_a_record_survives_its_file(tmp_path):
    run = judged(record(), SLO, record())
    folder = kept(tmp_path, run)
    assert msgspec.json.decode((folder / "results.json").read_bytes(), type=type(run)) == run


def test_the_calibration_measures_and_ends_its_other_end():
    before = psutil.Process().children()
    assert calibrate(0.3) > 0
    assert f"{os.cpu_count()} cores" in machine()
    assert psutil.Process().children() == before
