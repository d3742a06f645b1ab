"""What the model card says to a validator."""

import msgspec

from configs.dataset import Audit
from tests.train.test_gate import DATASET, GOOD
from tests.train.validation.figures_of_a_model import BEHAVIOUR, OUTCOMES, STABILITY
from train.publishing.model_card import html_page
from train.validation.sections import sections

EVIDENCE = msgspec.structs.replace(GOOD, outcomes=OUTCOMES, behaviour=BEHAVIOUR)
AUDITED = msgspec.structs.replace(DATASET, audit=(Audit(column="sex", groups={"women": ("f",)}),))


def test_deciles_zones_and_their_lift_are_told():
    said = sections(DATASET, EVIDENCE, None)["Calibration and lift"]
    assert "| 1 | 0.300 to 0.900 | 20 | 0.550 | 0.500 (0.400 to 0.600) | 1.67 | 83.3% |" in said
    assert "| near the threshold | 0 |  | no such rows |" in said


def test_audited_segments_are_told_and_others_where_they_are_off():
    said = sections(AUDITED, EVIDENCE, None)["Segments"]
    assert "| `sex` | women | 20 | 40.0% | 0.450 | 0.500 (0.400 to 0.600) | too few outcomes | 0.600 |" in said
    assert "| `purpose` | car |" in said
    assert "Of the 1 other groups with enough rows" in said
    assert "1 have a prediction outside" in said


def test_interactions_and_errors_are_told_with_their_source():
    said = sections(DATASET, EVIDENCE, None)["Effects, interactions and errors"]
    assert "| `income` with all others | 0.300 | 0.20 |" in said
    assert "| `income` with `housing` | 0.050 | 0.10 |" in said
    assert "| `housing` | another category | 12.5% | 0.050 | 0.200 | 25.0% |" in said
    assert "Friedman and Popescu, 2008" in said


def test_stability_is_told_or_that_it_was_not_measured():
    assert "make stability" in sections(DATASET, EVIDENCE, None)["Stability over seeds"]
    said = sections(DATASET, EVIDENCE, STABILITY)["Stability over seeds"]
    assert "| ROC AUC | 0.8000 | 0.7900 to 0.8000 |" in said
    assert "Two seeds decide 2.0% of the applicants differently" in said
    assert "two seeds tell 85.0% the same set of reasons, and 93.0% the same first one" in said
    few = msgspec.structs.replace(STABILITY, declined=3, reasons_kept=None, first_reason_kept=None)
    assert "3 are declined by every seed: too few" in sections(DATASET, EVIDENCE, few)["Stability over seeds"]


def test_evidence_of_earlier_versions_has_no_such_sections():
    assert list(sections(DATASET, GOOD, None)) == ["Stability over seeds"]


def test_a_figure_of_many_parts_takes_the_whole_width_of_the_page():
    def png(width):
        return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + width.to_bytes(4) + b"\x00\x00\x01\x00"

    page = html_page("# Card", "card", {"small": png(550), "large": png(930)})
    assert '<img alt="small"' in page
    assert '<img class="wide" alt="large"' in page
