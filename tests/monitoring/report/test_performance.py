"""The section on performance, by hand-made figures."""

import re

import msgspec

from monitoring.performance.results import Concept, Figure, Performance, Window
from monitoring.report.performance import performance

AUC = Figure(0.80, 0.75, 0.85)


def window(day, *, realised=None):
    return Window(
        f"2026-11-{day:02}T00:00:00Z",
        f"2026-11-{day + 1:02}T00:00:00Z",
        100,
        50,
        {"roc_auc": realised} if realised else {},
        {"roc_auc": AUC},
    )


FOUND = Performance(
    model="shop:1",
    since="2026-11-01T00:00:00Z",
    until="2026-11-04T00:00:00Z",
    rows=300,
    with_outcome=150,
    immature=0,
    realised={"roc_auc": Figure(0.70, 0.65, 0.75), "brier": Figure(0.2)},
    estimated={"roc_auc": AUC},
    reference={"roc_auc": 0.81},
    check={},
    concept=None,
    groups=[],
    windows=[window(1), window(2, realised=Figure(0.7, 0.6, 0.8)), window(3)],
    breaches=[],
    breach=False,
)


def cells(text, name):
    (row,) = re.findall(rf'<tr><th scope="row">{name}</th>(.*?)</tr>', text)
    return [re.sub("<[^>]*>", "", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]


def test_each_figure_stands_beside_its_reference_and_what_is_not_known_is_a_dash():
    text = performance(FOUND)
    assert cells(text, "ROC AUC") == ["0.810", "0.800 [0.750, 0.850]", "0.700 [0.650, 0.750]"]
    assert cells(text, "Brier score") == ["\u2013", "\u2013", "0.200"]
    assert "150 with an outcome" in text


def test_the_estimate_is_a_line_and_outcomes_are_dots_where_there_are_any():
    text = performance(FOUND)
    assert len(re.findall(r'class="dot"', text)) == 1
    (line,) = re.findall(r'<polyline class="line" points="([^"]*)"', text)
    assert [float(point.split(",")[0]) for point in line.split()] == [166.7, 500, 833.3]
    assert "by outcomes 0.700" in re.findall(r'aria-label="(.*?)"', text)[0]


def test_one_window_is_no_line():
    assert "<svg" not in performance(msgspec.structs.replace(FOUND, windows=[window(1)]))


def test_without_outcomes_the_page_says_where_to_send_them():
    text = performance(msgspec.structs.replace(FOUND, with_outcome=0, realised={}))
    assert "POST /feedback" in text
    assert "POST /feedback" not in performance(FOUND)


def test_a_change_of_concept_is_told_with_its_figures_and_its_absence_too():
    steady = Concept(p_value=0.4, bound=0.01, breach=False)
    changed = Concept(0.0001, 0.01, True, since="2026-11-02T00:00:00Z", observed=0.4, predicted=0.3)
    assert "Outcomes follow the probabilities (p = 0.4)." in performance(msgspec.structs.replace(FOUND, concept=steady))
    text = performance(msgspec.structs.replace(FOUND, concept=changed))
    assert "40.0% had the event where 30.0% were expected" in text
    assert "since 2026-11-02T00:00:00Z" in text
