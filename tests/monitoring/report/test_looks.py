"""The page in a real browser: on a phone, in the dark, by keyboard, and silent on the console."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from monitoring.report.document import BASE, asset
from monitoring.report.writing import write
from tests.browser import DESK, PHONE, Watched, browsing

LEAST_CONTRAST = 4.5  # of text: WCAG 2.2, 1.4.3


@pytest.fixture(scope="module")
def browser():
    with browsing() as found:
        yield found


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_is_cut_off_and_the_policy_blocks_nothing_of_ours(browser, make_figures, tmp_path, size, dark):
    path = write(tmp_path, make_figures())
    watched = Watched(browser, size, dark=dark)
    watched.page.goto(path.as_uri())
    assert watched.sideways() == 0
    assert (watched.brightness() < 60) == dark
    boxes = [drawing.bounding_box() for drawing in watched.page.locator("svg.plot").all()]
    assert len(boxes) >= 3
    assert min(min(box["width"], box["height"]) for box in boxes) > 40
    assert not watched.page.get_by_role("link", name="console").is_visible(), "a file has no service beside it"
    assert watched.said == []
    assert {url.partition(":")[0] for url in watched.asked} <= {"file", "data"}
    watched.page.close()


@pytest.mark.parametrize(
    ("ago", "told"), [(0, None), (30, "30 minutes old"), (300, "5 hours old"), (7200, "5 days old")]
)
def test_a_report_that_nobody_renews_says_how_old_it_is(browser, make_figures, tmp_path, ago, told):
    made = datetime.now(UTC) - timedelta(minutes=ago)
    watched = Watched(browser)
    watched.page.goto(write(tmp_path, make_figures(made_at=made)).as_uri())
    chips = watched.page.locator("header.bar .chip").all_inner_texts()
    assert chips == ([told] if told else [])
    watched.page.close()


def test_the_page_is_read_by_keyboard_from_a_link_that_skips_its_head(browser, make_figures, tmp_path):
    watched = Watched(browser)
    watched.page.goto(write(tmp_path, make_figures()).as_uri())
    watched.page.keyboard.press("Tab")
    assert watched.page.evaluate("document.activeElement.textContent") == "Skip to the figures"
    assert watched.page.get_by_role("main").count() == 1
    levels = [
        int(name[1]) for name in watched.page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(e => e.tagName)")
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    watched.page.close()


def luminance(color):
    """Relative luminance of `#rgb` or `#rrggbb`, as WCAG defines it."""
    digits = color.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


PAIRS = [(ink, ground) for ink in ("ink", "quiet", "accent", "bad", "warn", "good") for ground in ("ground", "card")]
PAIRS += [
    ("bad", "bad-soft"),
    ("warn", "warn-soft"),
    ("good", "good-soft"),
    ("quiet", "soft"),
    ("quiet", "accent-soft"),
]
PAIRS += [("accent-ink", "accent")]


@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_can_be_read_on_its_ground_in_light_and_in_dark(ink, ground):
    light, dark = asset(BASE).split("prefers-color-scheme: dark")
    for part in (light, dark.split("}\n}")[0]):
        colors = dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)", part))
        one, other = sorted((luminance(colors[ink]), luminance(colors[ground])), reverse=True)
        assert (one + 0.05) / (other + 0.05) >= LEAST_CONTRAST, (colors[ink], colors[ground])
