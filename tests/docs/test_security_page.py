"""Every threat of docs/security.md names the test that shows what stops it."""

import re

from tests.conftest import ROOT

PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")


def threats() -> list[list[str]]:
    """The rows of the tables of threats, without their heads."""
    section = PAGE.split("## Threats")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [row for row in rows if row[0] != "what they try"]


def test_each_threat_names_what_stops_it_and_a_page_or_a_test_that_shows_it():
    assert len(threats()) > 40
    for row in threats():
        assert len(row) == 3, row
        assert re.search(r"`tests/|`make |\.md", row[2]), row
