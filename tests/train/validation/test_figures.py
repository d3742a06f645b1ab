"""What is drawn has titles, axes and units, whatever the columns are called."""

import msgspec
import pytest

from tests.train.validation.figures_of_a_model import BEHAVIOUR, OUTCOMES, STABILITY
from train.evaluation.figures import png
from train.validation import figures


@pytest.fixture(scope="module")
def drawn():
    return figures.all_of(OUTCOMES, BEHAVIOUR, 1 / 6)


def test_every_figure_has_a_title_and_says_what_its_axes_are(drawn):
    outcomes, behaviour = ["calibration_by_decile", "lift", "segments"], ["interactions", "sensitivity"]
    assert list(drawn) == [*outcomes, "partial_dependence", *behaviour]
    for name, figure in {**drawn, "stability": figures.stability(STABILITY)}.items():
        axes = figure.axes[0]
        assert axes.get_title(), name
        assert axes.get_xlabel() or axes.get_xticklabels(), name
        assert axes.get_ylabel() or figure.get_supylabel() or axes.get_yticklabels(), name


def test_an_effect_has_its_unit_the_density_and_a_line_for_each_applicant(drawn):
    number, category, *_ = drawn["partial_dependence"].axes
    assert number.get_xlabel() == "EUR"
    assert len(number.patches) == len(BEHAVIOUR.effects[0].density)
    assert len(number.collections[0].get_segments()) == len(BEHAVIOUR.effects[0].curves)
    assert [label.get_text() for label in category.get_xticklabels()] == ["own", "missing"]


def test_a_segment_that_is_off_has_another_colour(drawn):
    fine, off = drawn["segments"].axes[0].containers
    assert [len(bars.lines[0].get_xdata()) for bars in (fine, off)] == [1, 1]


def test_names_with_dollars_are_drawn_as_they_are():
    named = msgspec.structs.replace(BEHAVIOUR.effects[0], feature="$in and $out", unit="$_{")
    assert png(figures.effects([named], 0.5)).startswith(b"\x89PNG")


def test_what_was_not_found_is_not_drawn():
    none = msgspec.structs.replace(OUTCOMES, segments=[])
    empty = type(BEHAVIOUR)([], [], [])
    assert list(figures.all_of(none, empty, 0.5)) == ["calibration_by_decile", "lift"]
