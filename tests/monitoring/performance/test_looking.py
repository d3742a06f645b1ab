"""`look` and `python -m monitoring performance`: what is counted, joined, left out, and a breach."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from monitoring.__main__ import main
from monitoring.performance.looking import PerformanceLooker, look
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.outcomes import Outcome, OutcomeStore
from tests.monitoring.performance.conftest import TAG, decide, keep_version, report


def seen(settings, **more):
    found = look(settings, NO_KEYS, **more)
    assert found is not None
    return found


@pytest.fixture
def command(settings, monkeypatch, capsys):
    """Runs the command on the records of `settings`; returns exit code, standard output and standard error."""
    monkeypatch.setenv("SCORER_DIRECTORY", settings.directory)

    def run(*arguments):
        code = main(["performance", *arguments])
        return code, *capsys.readouterr()

    return run


def test_nothing_was_decided(settings, command):
    assert look(settings, NO_KEYS) is None
    code, out, _ = command("--json")
    assert (code, json.loads(out)["rows"], json.loads(out)["breach"]) == (0, 0, False)


def test_outcomes_are_joined_with_their_decisions(settings):
    keep_version(settings)
    decided = decide(settings)
    report(settings, decided[:800])
    found = seen(settings)
    assert (found.model, found.rows, found.with_outcome, found.immature) == (TAG, 1200, 800, 0)
    assert {"roc_auc", "gini", "ks", "brier", "cost", "approval_rate", "event_rate", "calibration"} <= set(
        found.realised
    )
    assert not found.breach
    assert found.check["roc_auc"].agrees
    assert found.reference == {"rows": 200, "roc_auc": 0.78}


def test_before_an_outcome_arrives_the_estimate_is_there(settings):
    keep_version(settings)
    decide(settings)
    found = seen(settings)
    assert (found.with_outcome, found.concept, found.check) == (0, None, {})
    assert list(found.realised) == ["approval_rate"]
    assert 0.7 < found.estimated["roc_auc"].low < found.estimated["roc_auc"].high < 0.85


def test_flipped_outcomes_are_a_change_of_concept_and_the_command_ends_with_3(settings, command):
    keep_version(settings)
    report(settings, decide(settings, rows=2000), flipped=0.1)
    found = seen(settings)
    assert found.breach
    assert found.breaches[0].code == "concept"
    assert found.concept.breach
    assert found.concept.slope < 0.9
    code, out, _ = command("--json")
    assert code == 3
    printed = json.loads(out)
    assert {"model", "rows", "with_outcome", "realised", "estimated", "groups", "breach"} <= printed.keys()
    assert printed["breach"] is True
    assert printed["realised"]["roc_auc"].keys() == {"value", "low", "high"}
    code, out, _ = command()
    assert (code, "breach: concept" in out) == (3, True)


def test_groups_are_those_of_the_audits_and_the_categories(settings):
    keep_version(settings)
    report(settings, decide(settings))
    found = {(one.column, one.group): one for one in seen(settings).groups}
    assert set(found) == {("age", "under 25"), ("age", "25 and over"), ("home", "own"), ("home", "rent")}
    assert sum(found["age", name].rows for name in ("under 25", "25 and over")) == 1200
    assert [one.audited for key, one in found.items() if key[0] == "age"] == [True, True]
    assert found["home", "own"].realised["event_rate"].value < found["home", "rent"].realised["event_rate"].value


def test_a_version_that_is_gone_has_figures_without_groups(settings):
    report(settings, decide(settings))
    found = seen(settings)
    assert (found.groups, found.reference, found.with_outcome) == ([], {}, 1200)


def test_of_several_decisions_on_an_applicant_the_newest_has_the_outcome(settings):
    keep_version(settings)
    decide(settings, rows=300, seed=1)
    again = decide(settings, rows=300, seed=2)
    report(settings, again)
    found = seen(settings)
    assert (found.rows, found.with_outcome) == (600, 300)


def test_decisions_that_are_too_young_for_every_outcome_do_not_count(settings):
    keep_version(
        settings,
        {
            "source": {"path": "loans.csv", "time": "day"},
            "target": {"column": "paid", "event": "no", "mature_after_days": 30},
        },
    )
    report(settings, decide(settings))
    found = seen(settings)
    assert (found.with_outcome, found.immature) == (0, 1200)


def test_the_newest_model_is_looked_at_unless_another_is_named(settings):
    keep_version(settings)
    decide(settings, rows=100, tag="loans:0a")
    decide(settings, rows=200, first=100)
    assert (seen(settings).model, seen(settings).rows) == (TAG, 200)
    assert (seen(settings, model="loans:0a").rows, look(settings, NO_KEYS, model="loans:zz")) == (100, None)


def test_since_and_until_bound_the_decisions(settings):
    decide(settings, rows=100)
    now = datetime.now(UTC)
    assert look(settings, NO_KEYS, since=now) is None
    assert look(settings, NO_KEYS, until=now - timedelta(hours=1)) is None
    assert seen(settings, since=now - timedelta(hours=1), until=now).rows == 100


def test_declined_applicants_without_outcomes_are_no_breach_of_the_realised_roc_auc(settings):
    """Outcomes of approved ones alone have a lower ROC AUC in whatever state the model is."""
    keep_version(settings, roc_auc=0.8)
    decided = decide(settings, rows=3000)
    report(settings, [row for row in decided if row.decision == "approve"])
    found = seen(settings)
    assert found.realised["roc_auc"].high < 0.75
    assert found.breaches == []


def test_a_reference_that_the_estimate_is_far_below_is_a_breach(settings):
    keep_version(settings, roc_auc=0.95)
    decide(settings)
    (breach,) = seen(settings).breaches
    assert (breach.code, breach.bound) == ("estimated_roc_auc", pytest.approx(0.95 - 0.05 - 1.96 * 0.0205, abs=1e-3))


def test_archives_are_read_as_the_log_is(settings, monkeypatch):
    keep_version(settings)
    report(settings, decide(settings))
    before = seen(settings)
    monkeypatch.setenv("SCORER_DIRECTORY", settings.directory)
    assert main(["catch-up"]) == 0
    assert main(["compact"]) == 0
    assert list(Path(settings.directory, "archive").glob("*/*.parquet"))
    assert list(Path(settings.directory, "decisions").glob("*")) == []
    after = seen(settings)
    assert (after.realised, after.estimated, after.groups) == (before.realised, before.estimated, before.groups)


def test_an_erased_applicant_keeps_counting_without_an_outcome(settings, monkeypatch, capsys):
    keep_version(settings)
    decided = decide(settings, rows=300)
    report(settings, decided)
    monkeypatch.setenv("SCORER_DIRECTORY", settings.directory)
    assert main(["erase", "A-7"]) == 0
    assert "erased 1 outcome" in capsys.readouterr().out
    assert "A-7" not in OutcomeStore(settings).events(["A-7", "A-8"])
    found = seen(settings)
    assert (found.rows, found.with_outcome) == (300, 299)


def test_a_looker_reads_what_is_new_alone_and_everything_again_after_an_erasure(settings, monkeypatch, capsys):
    """By how many names are asked for: one per row, until an applicant is erased."""
    decided = decide(settings, rows=300)
    named = []
    looker = PerformanceLooker(settings, NO_KEYS)
    names_of = looker._reader._names_of
    monkeypatch.setattr(looker._reader, "_names_of", lambda one: named.append(one) or names_of(one))
    assert (looker.look().rows, len(named)) == (300, 300)
    assert (looker.look().rows, len(named)) == (300, 300)
    decide(settings, rows=100, first=300)
    report(settings, decided[:150])
    found = looker.look()
    assert (found.rows, found.with_outcome, len(named)) == (400, 150, 400)
    monkeypatch.setenv("SCORER_DIRECTORY", settings.directory)
    assert main(["erase", "A-7"]) == 0
    found = looker.look()
    assert (found.rows, found.with_outcome, len(named)) == (400, 149, 400 + 399)
    assert main(["catch-up"]) == main(["compact"]) == 0
    assert (looker.look().rows, looker.look().with_outcome) == (400, 149)


def test_an_encrypted_log_has_a_performance_for_who_has_its_key(settings):
    keys = LogKeys([b"k" * 32])
    decided = decide(settings, rows=200)
    report(settings, decided, keys=keys)
    found = look(settings, keys)
    assert found is not None
    assert found.with_outcome == 200
    assert look(settings, LogKeys([b"j" * 32])).with_outcome == 0


def test_a_database_that_cannot_be_read_is_said_and_the_command_ends_with_1(settings, command):
    decide(settings, rows=100)
    Path(settings.directory, "outcomes.db").write_text(
        "something else entirely, and long enough to be no database" * 20
    )
    code, out, err = command("--json")
    assert (code, out) == (1, "")
    assert "outcomes.db" in err
    assert "not a database" in err


def test_figures_are_json(settings):
    keep_version(settings)
    report(settings, decide(settings))
    assert msgspec.json.decode(msgspec.json.encode(seen(settings)))["from"].endswith("Z")
    store = OutcomeStore(settings)
    assert store.keep([Outcome("A-0", event=True, observed_at=datetime(2020, 1, 1, tzinfo=UTC))]).repeated == 1
