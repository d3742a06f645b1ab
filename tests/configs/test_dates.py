"""Dates: many spellings of one day, and none that may mean two."""

import pytest

from configs.dates import day_of, iso


@pytest.mark.parametrize(
    "text",
    [
        *("2024-03-01", "2024/3/1", "2024.03.01", "20240301", "1.3.2024", "01.03.2024", " 2024-03-01 "),
        *("2024-03-01T23:59:59Z", "2024-03-01 10:00", "1 Mar 2024", "1-Mar-2024", "1. March 2024"),
        *("2024-03", "2024/03", "202403", "Mar-2024", "March 2024"),
    ],
)
def test_a_day_and_a_month_are_read_in_every_plain_spelling(text):
    assert iso(day_of(text)) == "2024-03-01"


def test_a_quarter_and_a_year_are_their_first_day():
    assert [iso(day_of(text)) for text in ("2024Q3", "2024-Q3", "2024")] == ["2024-07-01", "2024-07-01", "2024-01-01"]


@pytest.mark.parametrize(
    "text", ["", "3/4/2024", "2024-13-01", "2024-02-30", "31.04.2024", "12", "24-01-31", "soon", "Marble-2024", "1e3"]
)
def test_what_is_no_date_or_may_be_two_is_none(text):
    assert day_of(text) is None
