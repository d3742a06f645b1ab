"""The report as a page and as JSON: whole, self-contained, safe and the same every time."""

import html.parser
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from configs.checks import read_checks
from configs.gates import read_gates
from monitoring.profiles.profile import profile_columns
from monitoring.profiles.whylogs_compat import serialize
from tests.models.tables import german_credit, hand_made
from train.check import check
from train.checks.data_report import as_json, drift_page, page
from train.checks.quality import assess
from train.tables.table import Table

ROOT = Path(__file__).parents[3]
CHECKS, GATES = read_checks(), read_gates()
VOID = {"meta", "rect", "path", "circle"}


class Reader(html.parser.HTMLParser):
    """Fails on tags that do not nest, and keeps tags, ids and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.links, self.text = [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.ids += [value for key, value in attributes if key == "id"]
        self.links += [value for key, value in attributes if key in ("href", "src")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def german():
    dataset = german_credit()
    table = check(dataset, 2)
    reference = serialize(profile_columns(table.columns, "m:1", datetime.fromtimestamp(0, UTC)))
    return assess(dataset, table, CHECKS, reference, GATES)


def test_the_page_shows_every_feature_and_needs_nothing_else(german):
    text = page(german)
    read = Reader(text)
    for feature in german.dataset.features:
        assert feature.name in read.text
    assert all(link.startswith("#") and link[1:] in read.ids for link in read.links)
    assert len(read.links) == 20
    assert not {tag for tag, _ in read.tags} & {"script", "link", "img", "iframe"}
    assert not re.search(r"https?:|url\(|@import|@font-face", text)


def test_every_table_has_headers_for_its_columns_and_rows(german):
    for text in (page(german), drift_page("german_credit", german.drift)):
        read = Reader(text)
        scopes = [attributes.get("scope") for tag, attributes in read.tags if tag == "th"]
        assert set(scopes) == {"col", "row"}
        assert scopes.count("row") + text.count("<thead><tr>") == text.count("<tr>")
        assert "<th scope='col'></th>" not in text


def test_the_drift_page_has_a_row_for_every_column(german):
    read = Reader(drift_page("german_credit", german.drift))
    assert sum(attributes.get("scope") == "row" for _, attributes in read.tags) == 20
    assert "No column has drifted." in read.text


def test_the_json_says_what_the_report_knows(german):
    said = json.loads(as_json(german.as_dict()))
    assert (said["rows"], said["events"], said["checks"]["duplicates"]) == (1000, 300, "passed")
    assert [feature["name"] for feature in said["features"]] == [feature.name for feature in german.dataset.features]
    drift = json.loads(as_json(german.drift.as_dict()))
    assert (drift["reference_rows"], {column["psi"] for column in drift["columns"]}) == (1000, {0})


def test_names_and_values_of_a_table_are_text_and_never_markup(tmp_path):
    dataset = hand_made(tmp_path)
    table = check(dataset, 2)
    attack = "<script>alert(1)</script>&\"'"
    first, *others = dataset.features
    categories = (attack, *first.categories)
    changed = msgspec.structs.replace(first, name=attack, categories=categories, description=attack, unit=attack)
    dataset = msgspec.structs.replace(dataset, features=(changed, *others), description=attack)
    columns = {attack: [attack, *table.columns[first.name][1:]]} | {f.name: table.columns[f.name] for f in others}
    changed_table = Table(columns, table.target, table.lines)
    reference = serialize(profile_columns(columns | {attack: ["1"] * 240}, "m:1", datetime.fromtimestamp(0, UTC)))
    report = assess(dataset, changed_table, CHECKS, reference, GATES)
    assert report.drift.findings
    for text in (page(report), drift_page("x", report.drift)):
        read = Reader(text)
        assert "script" not in {tag for tag, _ in read.tags}
        assert attack in "".join(read.text)


def test_a_refused_table_has_a_page_too(german):
    dataset = german.dataset
    table = check(dataset, 2)
    doubled = page(assess(dataset, table.rows(np.r_[0:1000, 0:300]), CHECKS, None, GATES))
    assert "<span class='stopped'>stopped</span>" in doubled
    assert "300 of 1,300 rows" in doubled
    broken = Table(table.columns | {"housing": ["castle"] * 1000}, table.target, table.lines)
    text = page(assess(dataset, broken, CHECKS, None, GATES))
    Reader(text)
    assert "There are no distributions, because some cells are invalid." in text


def test_page_and_json_are_the_same_bytes_in_every_process_and_name_no_path(german):
    script = """
import sys
from configs.checks import read_checks
from configs.gates import read_gates
from tests.models.tables import german_credit
from train.check import check
from train.checks.quality import assess
from train.checks.data_report import as_json, page
dataset = german_credit()
report = assess(dataset, check(dataset, 2), read_checks(), None, read_gates())
sys.stdout.buffer.write(page(report).encode() + as_json(report.as_dict()))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, timeout=60)
    assert done.stdout == page(german).encode() + as_json(german.as_dict())
    assert str(ROOT).encode() not in done.stdout
