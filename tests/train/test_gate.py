"""Gates: what passes, warns and fails, and that each names its remedy."""

import msgspec
import numpy as np
import pytest

from configs.dataset import read_dataset
from configs.gates import Waiver, read_gates
from configs.source import ConfigError
from tests.conftest import GERMAN_CREDIT
from train.errors import PipelineError
from train.evaluation.evidence import bootstrap_estimates
from train.evaluation.results import Estimate, Evidence, Fairness, GateError, Unseen
from train.evaluation.savings import saving, saving_estimate
from train.gate import judge
from train.gating.verdicts import apply_waiver, apply_waivers, at_least, at_most, exact, shown
from train.publishing.model_card import gates_section
from train.stakes import stakes_of

DATASET = read_dataset(GERMAN_CREDIT)
STAKES = stakes_of(DATASET, {})
GATES = msgspec.structs.replace(read_gates(), waivers=())
FINE = Estimate(1.0, 0.95, 1.05)
GOOD = Evidence(
    files={},
    settings="",
    folds=5,
    fold_roc_auc=[],
    candidates={},
    gain_over_baseline=Estimate(0.01, 0.0, 0.02),
    cost_of_protection=None,
    cost_of_monotone=None,
    roc_auc=Estimate(0.8, 0.78, 0.82),
    calibration_slope=FINE,
    saving=Estimate(0.1, 0.05, 0.15),
    fairness=[Fairness("age_years", [], Estimate(0.9, 0.85, 0.95), Estimate(0.1, 0.05, 0.2))],
    importance=[],
    unseen=Unseen(200, 60, 0.7, Estimate(0.2, 0.1, 0.3), Estimate(0.01, -0.02, 0.04)),
    walks=[],
    reasons_kept=Estimate(0.9, 0.85, 0.95),
)


def statuses(evidence):
    return {verdict.gate: verdict.status for verdict in judge(DATASET, GATES, evidence)}


def test_a_good_model_passes_every_gate():
    found = judge(DATASET, GATES, GOOD)
    assert {verdict.status for verdict in found} == {"pass"}
    assert all(verdict.bound and verdict.remedy for verdict in found)


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"roc_auc": Estimate(0.97, 0.95, 0.99)}, "no leak: ROC AUC"),
        ({"calibration_slope": Estimate(0.5, 0.4, 0.6)}, "calibration slope"),
        ({"calibration_slope": Estimate(2, 1.8, 2.2)}, "calibration slope"),
        ({"saving": Estimate(-0.1, -0.2, -0.05)}, "saving against one decision for all"),
        ({"saving": Estimate(0.1, -0.01, 0.2)}, "saving against one decision for all"),
        ({"saving": Estimate(0.04, 0.034, 0.05)}, "saving against one decision for all"),  # a twentieth is 0.035
        ({"saving": Estimate(0, 0, 0)}, "saving against one decision for all"),
        ({"reasons_kept": Estimate(0.4, 0.3, 0.5)}, "reasons kept by a retraining"),
        ({"gain_over_baseline": Estimate(-0.03, -0.04, -0.02)}, "gain over the baseline"),
        ({"gain_over_baseline": Estimate(0.03, -0.02, 0.08)}, "gain over the baseline"),
        (
            {"unseen": Unseen(200, 60, 0.7, Estimate(0.1, -0.01, 0.2), None)},
            "saving against one decision for all, on the test part",
        ),
        (
            {"unseen": Unseen(200, 60, 0.7, FINE, Estimate(0.02, -0.06, 0.1))},
            "gain over the baseline, on the test part",
        ),
        (
            {"unseen": Unseen(200, 19, 0.5, FINE, None)},
            "saving against one decision for all, on the test part",
        ),
        (
            {"fairness": [Fairness("age_years", [], Estimate(0.5, 0.4, 0.6), Estimate(0.1, 0.0, 0.2))]},
            "approval ratio, age_years",
        ),
        (
            {"fairness": [Fairness("age_years", [], Estimate(0.9, 0.8, 1), Estimate(0.6, 0.5, 0.7))]},
            "equalised odds, age_years",
        ),
    ],
)
def test_what_lies_wholly_beyond_its_bound_fails_and_nothing_else_does(change, gate):
    found = judge(DATASET, GATES, msgspec.structs.replace(GOOD, **change))
    assert {verdict.gate for verdict in found if verdict.status == "fail"} == {gate}
    assert [verdict for verdict in found if verdict.status == "warn"] == []


def test_few_events_in_the_test_part_show_nothing_and_the_remedy_says_how_many_there_are():
    found = judge(DATASET, GATES, msgspec.structs.replace(GOOD, unseen=Unseen(90, 12, 0.5, FINE, FINE)))
    failed = [verdict for verdict in found if verdict.status == "fail"]
    assert len(failed) == 2
    assert "undefined: the test part has 12 events among 90 rows, and 20 of either outcome are needed, must" in str(
        GateError(failed)
    )


def test_what_has_to_be_shown_may_lie_a_margin_below_its_bound_and_a_waiver_moves_the_bound():
    assert shown("", Estimate(0.01, -0.009, 0.03), 0, 0.01, "").status == "pass"
    assert shown("", Estimate(-0.001, -0.009, 0.01), 0, 0.01, "").status == "warn"
    failed = shown("gain", Estimate(0.01, -0.011, 0.03), 0, 0.01, "")
    assert (failed.status, failed.bound) == ("fail", "shown to be above -0.01")
    waiver = Waiver(dataset="x", gate="gain", bound=-0.02, reason="the first table of a new product, of 900 rows")
    assert apply_waiver(failed, waiver).status == "waived"
    assert apply_waiver(failed, msgspec.structs.replace(waiver, bound=-0.011)).status == "fail"


def test_the_saving_on_resampled_rows_is_that_of_their_four_counts():
    rng = np.random.default_rng(0)
    target, declined = (rng.random(500) < 0.3).astype(np.int64), rng.random(500) < 0.4
    declined |= target == 1
    found = saving_estimate(target, declined, STAKES, GATES)
    drawn = [rng.integers(500, size=500) for _ in range(1000)]
    low, high = np.quantile([saving(target[rows], declined[rows], STAKES) for rows in drawn], [0.05, 0.95])
    assert (found.low, found.high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))
    assert found.value == saving(target, declined, STAKES)


def test_an_interval_over_the_bound_warns():
    assert at_least("", Estimate(-0.1, -0.3, 0.1), 0, "").status == "warn"
    assert at_least("", Estimate(-0.1, -0.3, -0.01), 0, "").status == "fail"
    assert at_most("", Estimate(1.1, 0.9, 1.3), 1, "").status == "warn"
    assert exact("", 2, 1, "").status == "fail"
    assert exact("", 2, 1, "", reproducible=False).figure is None


def test_a_waiver_moves_one_bound_says_why_and_holds_no_further():
    reason = "base rates differ, and business necessity has been shown"
    waiver = Waiver(dataset=DATASET.name, gate="approval ratio, age_years", bound=0.5, reason=reason)
    gates = msgspec.structs.replace(GATES, waivers=(waiver,))
    for value, status in ((0.6, "waived"), (0.4, "fail"), (0.9, "pass")):
        audit = Fairness("age_years", [], Estimate(value, value, value), Estimate(0, 0, 0))
        verdicts = apply_waivers(DATASET, gates, judge(DATASET, gates, msgspec.structs.replace(GOOD, fairness=[audit])))
        (verdict,) = [verdict for verdict in verdicts if verdict.gate == waiver.gate]
        assert verdict.status == status
        assert verdict.waiver == (reason if status != "pass" else "")


def test_an_undefined_figure_is_not_judged_and_its_gate_and_waiver_stay():
    audit = Fairness("age_years", [], Estimate(0.9, 0.85, 0.95), None)
    waiver = Waiver(dataset=DATASET.name, gate="equalised odds, age_years", bound=0.5, reason="a reason of some length")
    gates = msgspec.structs.replace(GATES, waivers=(waiver,))
    verdicts = apply_waivers(DATASET, gates, judge(DATASET, gates, msgspec.structs.replace(GOOD, fairness=[audit])))
    (verdict,) = [verdict for verdict in verdicts if verdict.status != "pass"]
    assert (verdict.gate, verdict.status, verdict.figure) == (waiver.gate, "not judged", None)
    assert "| not judged | equalised odds, age_years | undefined: too few rows to compare |" in gates_section(verdicts)


def test_a_waiver_of_no_gate_is_an_error():
    waiver = Waiver(dataset=DATASET.name, gate="approval ratio, age", bound=0.5, reason="a reason of some length")
    with pytest.raises(PipelineError, match="waivers of unknown gates: approval ratio, age; the gates are: "):
        apply_waivers(DATASET, msgspec.structs.replace(GATES, waivers=(waiver,)), judge(DATASET, GATES, GOOD))


def test_the_error_names_gate_figure_bound_and_remedy():
    error = str(GateError([at_least("saving", Estimate(-0.1, -0.2, -0.05), 0, "check the costs")]))
    assert "saving: -0.100 (-0.200 to -0.050), must be at least 0; check the costs" in error


def test_resampled_figures_hold_what_is_true_of_a_calibrated_score():
    rng = np.random.default_rng(1)
    probability = rng.uniform(0.02, 0.9, size=2000)
    target = (rng.random(2000) < probability).astype(np.int64)
    gates = msgspec.structs.replace(GATES, bootstrap=100)
    found = bootstrap_estimates(target, probability, STAKES, gates)
    assert found["calibration_slope"].low < 1 < found["calibration_slope"].high
    assert found["saving"].low > 0
    assert found["roc_auc"].low < found["roc_auc"].value < found["roc_auc"].high


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("default: 0.95 ", "other: 0.95 ", "most_roc_auc"),
        ("[0.8, 1.25]", "[1.1, 1.25]", "calibration_slope"),
        ("folds: 5 ", "folds: 1 ", "folds"),
        ("approvers: []", "approver: []", "approver"),
    ],
)
def test_a_gates_file_that_makes_no_sense_is_refused_at_its_key(tmp_path, old, new, key):
    text = (GERMAN_CREDIT.parents[1] / "gates.yaml").read_text()
    assert old in text
    path = tmp_path / "gates.yaml"
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        read_gates(path)
    assert caught.value.key == key
