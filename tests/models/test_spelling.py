"""Look-alikes: found whatever it is that differs, and named by it; different texts are left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.feature import Feature
from models.spelling import alike, difference, groups, nearest
from models.validation import value_fault

LOOK_ALIKES = {
    "a space at the end": ("own ", "own", "a space at its end"),
    "two spaces at the start": ("  own", "own", "2 spaces at its start"),
    "a no-break space": ("own\u00a0", "own", "a no-break space at its end"),
    "a tab": ("\town", "own", "a tab at its start"),
    "a mark of byte order": ("\ufeffown", "own", "a character that is not seen at its start"),
    "no space at the end": ("own", "own ", "a missing space at its end"),
    "case": ("Own", "own", "case"),
    "case and a space": ("YES ", "yes", "a space at its end and case"),
    "NFD": ("sa\u0303o", "s\u00e3o", "the Unicode form of its letters"),
    "a space inside": ("0 to  200", "0 to 200", "the spaces inside"),
    "a no-break space inside": ("0\u00a0to 200", "0 to 200", "the spaces inside"),
    "a wide letter": ("\uff4fwn", "own", "the form of its letters"),
    "sharp s": ("STRASSE", "straße", "case"),
    "a number": ("1.0", "1", "how the number is written"),
    "an exponent": ("1e3", "1000", "how the number is written"),
}


@pytest.mark.parametrize(("text", "other", "said"), LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def test_a_look_alike_is_found_and_said_to_differ_in_what_differs(text, other, said):
    assert alike(text, other)
    assert difference(text, other) == said
    feature = Feature(name="housing", type="categorical", categories=(other, "rent"))
    assert value_fault(feature, text) == f"must be one of: {other}, rent; it differs from {other!r} in {said}"


@pytest.mark.parametrize(("text", "other"), [("own", "owned"), ("007", "7"), ("", "x"), ("no", "none"), ("a", "á")])
def test_texts_that_differ_for_everybody_are_no_look_alikes(text, other):
    assert not alike(text, other)
    feature = Feature(name="housing", type="categorical", categories=(other, "rent"))
    assert value_fault(feature, text) == f"must be one of: {other}, rent"


@given(st.text(max_size=6), st.text(max_size=6))
def test_whatever_looks_alike_has_a_difference_and_nothing_looks_like_itself(text, other):
    assert not alike(text, text)
    assert alike(text, other) == alike(other, text) == (nearest(text, [other]) is not None)
    if alike(text, other):
        assert difference(text, other)
        assert groups([text, other]) == [[text, other]]
