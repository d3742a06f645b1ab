"""Links of the pages lead somewhere: relative ones to a file, anchors to a heading."""

import re
from pathlib import Path

import pytest

from benchmarks.readme import ROOT, pages

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def prose(path: Path) -> str:
    """A page without its fenced blocks and code spans, in which brackets are no links."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(?<!\[)`[^`\n]*`(?!\])", "", text)


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page; the second of a name ends in `-1`."""
    found: dict[str, int] = {}
    result = set()
    for heading in re.findall(r"^#+ (.+?)\s*$", prose(path), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        result.add(f"{slug}-{found[slug]}" if slug in found else slug)
        found[slug] = found.get(slug, 0) + 1
    return result


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_and_anchors_lead_somewhere(page):
    for link in LINK.findall(prose(page)):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name}: {link}"
        assert target.is_relative_to(ROOT), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}"


def linked(page: Path) -> set[Path]:
    return {(page.parent / link.partition("#")[0]).resolve() for link in LINK.findall(prose(page)) if ":" not in link}


def test_every_page_is_found_from_the_readme_and_from_the_index():
    written = {path for path in (ROOT / "docs").glob("*.md") if path.name != "README.md"} | {
        ROOT / "docs/decisions/README.md",
        ROOT / "data/README.md",
    }
    assert written - linked(ROOT / "README.md") == set()
    assert written - linked(ROOT / "docs/README.md") == set()


def test_every_decision_has_a_date_a_status_and_its_row_in_the_index():
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    for page in sorted((ROOT / "docs/decisions").glob("0*.md")):
        text = page.read_text(encoding="utf-8")
        title = re.match(r"# (.+)\n", text)
        date = re.search(r"^Date: (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)
        status = re.search(r"^Status: (.+)$", text, re.MULTILINE)
        assert all((title, date, status)), page.name
        assert f"| {page.name[:4]} | [{title[1]}]({page.name}) | {date[1]} | {status[1]} |" in index
