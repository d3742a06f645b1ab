"""The page as HTML: self-contained, what moved first, and no value of a record is markup."""

import base64
import hashlib
import re
from html import unescape
from html.parser import HTMLParser

import pytest

from monitoring.findings.finding import Finding
from monitoring.report.figures import Figures, Group, Model
from monitoring.report.latency import Latency
from monitoring.report.page import page
from monitoring.report.shapes import Column, Shape
from monitoring.status import Status
from tests.monitoring.report.conftest import UNTIL, drifted

HOSTILE = '<script>alert("1")</script>\'"&'


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_needs_nothing_from_elsewhere_and_its_policy_lets_nothing_in(make_figures):
    text = page(make_figures())
    elements = Elements(text)
    for tag, attributes in elements.found:
        for name in ("src", "href"):
            value = attributes.get(name) or ""
            assert value.startswith("data:") or "//" not in value, (tag, value)
        assert not [name for name in attributes if name == "style" or name.startswith("on")], (tag, attributes)
    (policy,) = [each["content"] for tag, each in elements.found if each.get("http-equiv") == "content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    for kind in ("style", "script"):
        inside = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        assert inside
        for each in inside:
            digest = base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy.split(f"{kind}-src")[1].split(";")[0]


def test_what_has_moved_is_marked_in_words_with_its_figures(make_figures):
    text = page(make_figures())
    (moved,) = re.findall(r'<article class="card column moved">(.*?)</article>', text, re.DOTALL)
    assert "<h3>home</h3>" in moved
    assert "PSI 0.60, bound 0.10" in moved
    assert "70% (+40)" in moved
    assert text.count(">moved<") == 1
    assert text.count(">steady<") == 1


def test_every_drawing_says_what_it_shows(make_figures):
    text = page(make_figures())
    drawings = re.findall(r"<svg [^>]*>", text)
    assert len(drawings) > 4
    assert all('role="img" aria-label="' in drawing or 'aria-hidden="true"' in drawing for drawing in drawings)
    (traffic,) = [unescape(each) for each in re.findall(r'aria-label="([^"]*)"', text) if "rows from" in each]
    assert traffic == (
        "3,360 rows from 20 Nov 2026, 00:00 UTC to 27 Nov 2026, 00:00 UTC: 2,016 approved, 1,344 declined"
    )


def test_a_group_that_is_approved_much_less_is_told(make_figures):
    text = page(make_figures())
    rows = re.findall(r'<th scope="row">(sex: .)</th>.*?<td class="number">([\d.]+)</td><td>(.*?)</td>', text)
    assert [(name, ratio, "below 0.80" in chip) for name, ratio, chip in rows] == [
        ("sex: f", "0.62", True),
        ("sex: m", "1.00", False),
    ]


def test_no_value_of_a_record_is_read_as_markup(make_figures):
    shape = Shape(HOSTILE, (HOSTILE, "b"), (), (0.5, 0.5), (0.5, 0.5))
    number = Shape(HOSTILE, ("1", HOSTILE), ("1", HOSTILE), (0.5, 0.5), (0.5, 0.5))
    text = page(
        make_figures(
            model=Model(tag=HOSTILE, event=HOSTILE, description=HOSTILE),
            columns=tuple(Column(each, drifted(HOSTILE), ()) for each in (shape, number)),
            groups=(Group(HOSTILE, HOSTILE, 1, 0.5, 1.0),),
            changes=(HOSTILE,),
            problems=(HOSTILE,),
        )
    )
    elements = Elements(text)
    assert [tag for tag, _ in elements.found].count("script") == 1  # ours
    assert elements.words.count(HOSTILE) >= 5


@pytest.mark.parametrize(
    ("status", "words"), [(Status(), "Nothing has been profiled yet."), (Status(pending=12), "12 rows wait")]
)
def test_before_the_first_profile_the_page_says_what_it_waits_for(status, words):
    assert words in page(Figures(made_at=UNTIL, status=status))


def test_without_the_artifact_traffic_is_still_shown_and_the_reason_is_told(make_figures):
    text = page(make_figures(model=Model(tag="shop:1"), columns=(), problems=("shop:1 is nowhere",)))
    assert "shop:1 is nowhere" in text
    assert "3,360 rows" in text


def test_what_is_wrong_comes_first_with_what_to_do(make_figures):
    wrong = Finding(
        code="drift",
        subject=HOSTILE,
        value=0.6,
        bound=0.1,
        since=UNTIL,
        message="home moved: PSI 0.6",
        remedy="look at what fills this field",
    )
    text = page(make_figures(findings=(wrong,)))
    assert (
        text.index("To do: 1 finding<")
        < text.index("look at what fills this field")
        < text.index("scored in the last day")
    )
    assert HOSTILE not in text
    assert "Nothing is wrong." in page(make_figures())


def test_the_wait_of_batches_is_told_as_bounds(make_figures):
    assert "0.3 ms" in page(make_figures(latency=Latency(10, 0.3, 10.0)))
    assert "99%: over a second" in page(make_figures(latency=Latency(10, 0.3, None)))
    assert "no service has told" in page(make_figures())


def test_tables_scored_in_batch_are_told_before_anything_was_served_too(make_figures):
    for figures in (make_figures(batches=(HOSTILE,)), Figures(made_at=UNTIL, batches=(HOSTILE,))):
        text = page(figures)
        assert "Tables scored in batch" in text
        assert HOSTILE not in text
    assert "Tables scored in batch" not in page(make_figures())
