"""A column that knows the outcome: how strong it is by itself, and what lets it through."""

import dataclasses

import msgspec
import numpy as np
import pytest

from configs.checks import read_checks
from configs.dataset import Costs, Dataset, Source, Target
from configs.feature import Feature
from configs.gates import Waiver, read_gates
from train.checks.data_report import page
from train.checks.leaks import strength_of
from train.checks.quality import assess
from train.errors import PipelineError, TableError
from train.gating import leaks
from train.tables.column import NumberColumn
from train.tables.table import Table

CHECKS, GATES = read_checks(), msgspec.structs.replace(read_gates(), waivers=())
ROWS = 1000
TARGET = (np.arange(ROWS) % 10 < 3).astype(np.int64)  # 30% have the event
DRAWN = np.random.default_rng(0)
INCOME = DRAWN.normal(size=ROWS) - 0.5 * TARGET
NUMBER = Feature(name="balance", type="number", nullable=True)
WORD = Feature(name="status", type="categorical", categories=("current", "late", "charged_off"))


def words(values):
    return np.array(values, dtype=object)


def dataset_of(*features):
    income = Feature(name="income", type="number")
    target, costs = Target(column="outcome", event="bad"), Costs(missed_event=5, false_alarm=1)
    return Dataset(
        name="cards", source=Source(path="cards.csv"), target=target, costs=costs, features=(income, *features)
    )


def assessed(feature, column, gates=GATES):
    table = Table({"income": NumberColumn(INCOME), feature.name: column}, TARGET, np.arange(2, ROWS + 2))
    return assess(dataset_of(feature), table, CHECKS, None, gates)


def stopped(feature, column):
    with pytest.raises(TableError) as caught:
        assessed(feature, column).stop_if_refused()
    return caught.value.faults


def test_a_column_that_is_the_target_in_other_words_is_stopped_and_named_with_its_strength():
    report = assessed(WORD, words(["charged_off" if bad else "current" for bad in TARGET]))
    faults = [finding.message for finding in report.findings if finding.stops]
    assert len(faults) == 3  # by each of the three figures
    assert faults[0].startswith("column 'status': column ROC AUC 1, at most 0.85 is allowed; of the 300 rows with ")
    assert "it is 'outcome' in other words; remove 'status' if it is known only after the decision" in faults[0]
    assert "gate: column ROC AUC, status (configs/gates.yaml)" in faults[0]
    shown = page(report)
    assert "column ROC AUC 1, at most 0.85 is allowed" in shown
    assert "of the 300 rows with &#x27;charged_off&#x27;, 300 have the event" in shown


def test_a_number_that_is_nought_for_nearly_everybody_is_seen_as_well():
    """What was written off: 0 but for events, of which a tenth has small amounts; deciles would put all in one bin."""
    written_off = np.where((TARGET == 1) & (DRAWN.random(ROWS) < 0.1), DRAWN.uniform(1, 2, ROWS), 0.0)
    (fault,) = stopped(NUMBER, NumberColumn(np.where(written_off > 0, 1.0, 0.0)))
    assert fault.startswith("column 'balance': column with one outcome 1, at most 0.99 is allowed; of the ")
    repaid = NumberColumn(np.where(TARGET == 1, DRAWN.uniform(0, 40, ROWS), 50 - 0.01 * DRAWN.integers(0, 5, ROWS)))
    assert "column ROC AUC 1" in stopped(NUMBER, repaid)[0]


@pytest.mark.parametrize("outcome", [0, 1])
def test_a_column_that_is_there_for_one_outcome_only_is_stopped(outcome):
    """Its values tell nothing, and neither ROC AUC nor information value is large: that it is there tells all."""
    there = (outcome == TARGET) & (DRAWN.random(ROWS) < 0.15)
    column = NumberColumn(np.where(there, DRAWN.normal(size=ROWS), np.nan))
    (fault,) = [
        finding.message for finding in assessed(NUMBER, column).findings if finding.stops and finding.check == "leaks"
    ]
    what = "the event" if outcome else "none"
    assert f"of the {there.sum()} rows that have a value, {there.sum()} have {what}" in fault


def test_honest_columns_pass_a_strong_one_too():
    score = NumberColumn(DRAWN.normal(size=ROWS) - 1.2 * TARGET)  # ROC AUC 0.80, as a bureau's may have
    assert assessed(NUMBER, score).verdicts()["leaks"] == "passed"
    few = np.full(ROWS, np.nan)
    few[np.flatnonzero(TARGET)[:8]] = 1.0  # 0.3 ** 8 is no proof
    assert assessed(NUMBER, NumberColumn(few)).verdicts()["leaks"] == "passed"


def test_many_rare_categories_do_not_look_like_a_leak():
    names = tuple(f"street {number}" for number in range(400))
    feature = Feature(name="street", type="categorical", categories=names)
    column = words([names[number] for number in DRAWN.integers(400, size=ROWS)])
    assert strength_of(feature, column, TARGET).roc_auc == pytest.approx(0.5, abs=0.05)


def test_a_waiver_lets_one_column_through_by_name_and_the_report_says_why():
    column = NumberColumn(DRAWN.normal(size=ROWS) - 1.8 * TARGET)
    reason = "an application score of the bureau, known when somebody applies"
    refused = assessed(NUMBER, column)
    assert refused.verdicts()["leaks"] == "stopped"
    named = [finding.message for finding in refused.findings if finding.stops]
    waivers = tuple(
        Waiver(
            dataset="cards",
            gate=message.rpartition("gate: ")[2].removesuffix(" (configs/gates.yaml)"),
            bound=5,
            reason=reason,
        )
        for message in named
    )
    report = assessed(NUMBER, column, msgspec.structs.replace(GATES, waivers=waivers))
    report.stop_if_refused()
    assert all(reason in finding.message for finding in report.findings if finding.check == "leaks")
    assert reason in page(report)
    features = [dataclasses.asdict(feature) for feature in report.features]
    waived = leaks.judge(report.dataset, msgspec.structs.replace(GATES, waivers=waivers), features)
    assert {verdict.gate for verdict in waived if verdict.status == "waived"} == {waiver.gate for waiver in waivers}
    stray = (Waiver(dataset="cards", gate="column ROC AUC, balanse", bound=1, reason=reason),)
    with pytest.raises(PipelineError, match="waivers of columns that are no inputs: column ROC AUC, balanse"):
        leaks.judge(report.dataset, msgspec.structs.replace(GATES, waivers=stray), features)
