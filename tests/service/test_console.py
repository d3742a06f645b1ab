"""The console in a real browser: what a person types is scored, explained and recorded, and nothing else."""

import csv
import io
import json

import pytest

from tests.browser import PHONE, Watched, browsing
from tests.service.conftest import metric, records

HOSTILE = "<img src=x onerror=document.title=1>"


@pytest.fixture(scope="module")
def browser():
    with browsing() as found:
        yield found


@pytest.fixture
def console(browser, service):
    """The page, whose console stays silent but for refusals, and which asks nobody else."""
    watched = Watched(browser)
    watched.page.goto(f"{service.url}/console")
    yield watched
    watched.page.close()
    assert [said for said in watched.said if "Failed to load resource" not in said] == []
    assert [url for url in watched.asked if not url.startswith((service.url, "data:", "blob:"))] == []


def scored(console):
    console.page.get_by_role("button", name="Score", exact=True).click()
    console.page.get_by_text("Recorded as").wait_for()
    return console.page.locator(".probability").inner_text()


def test_the_form_has_every_feature_with_its_range_and_an_example(console, client):
    for feature in client.get("/model").json()["features"]:
        if feature["protected"]:
            assert not console.page.get_by_label(feature["name"], exact=True).is_visible()
            continue
        field = console.page.get_by_label(feature["name"])
        field.first.wait_for()
        if feature["type"] != "categorical":
            assert float(field.first.get_attribute("min")) == feature["minimum"]
            assert float(field.first.get_attribute("max")) == feature["maximum"]
        else:
            assert field.first.locator("option").all_inner_texts() == feature["categories"]


def test_a_score_is_that_of_predict_with_the_contributions_of_explain_and_is_recorded(
    console, client, example, service
):
    shown = scored(console)
    answer = client.post("/explain", json={"applicants": [example]}).json()[0]
    assert shown == f"{100 * answer['probability']:.1f}%"
    largest = max(answer["contributions"], key=lambda one: abs(one["log_odds"]))
    assert largest["feature"] in console.page.locator(".contributions tr").first.inner_text()
    (identifier,) = [text.split()[2].rstrip(".") for text in [console.page.get_by_text("Recorded as").inner_text()]]
    assert identifier in records(service.log.parent / "var")


def test_a_declined_applicant_has_reasons_and_what_would_change_it_is_no_decision(console, client):
    before = scored(console)
    decided = metric(client, "scorer_predictions_total")
    slider = console.page.get_by_role("slider").first
    slider.focus()
    slider.press("End")
    console.page.get_by_text("Not recorded as a decision").wait_for()
    change = console.page.locator(".what-if strong").inner_text()
    assert change.startswith(f"{before} → ")
    assert change != f"{before} → {before}"
    if "Decline" in console.page.locator(".decision").first.inner_text():
        assert 1 <= console.page.locator(".reasons li").count() <= 4
    console.page.get_by_role("button", name="Back to the recorded values").click()
    console.page.locator(".what-if").wait_for(state="detached")
    assert console.page.locator(".probability").inner_text() == before
    assert metric(client, "scorer_predictions_total") == decided


def test_a_value_that_is_refused_is_named_at_its_field(console):
    field = console.page.locator("input[type=number]").first
    field.fill("999999")
    console.page.get_by_role("button", name="Score", exact=True).click()
    console.page.get_by_text("see the fields").wait_for()
    assert field.get_attribute("aria-invalid") == "true"
    assert "must be at most" in console.page.locator(f"#{field.get_attribute('id')}-fault").inner_text()
    assert field.evaluate("element => element === document.activeElement")


def as_csv(rows, separator=","):
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_table_is_scored_and_given_back_with_what_was_refused(console, client, example, separator, tmp_path):
    rows = [example | {"application_id": f"c-{number}", "remark": '=1+1, "x"'} for number in range(3)]
    number = next(name for name, value in example.items() if not isinstance(value, str))
    rows[1][number] = "many"
    rows[2]["application_id"] = HOSTILE
    console.page.get_by_label("CSV", exact=True).fill(as_csv(rows, separator))
    console.page.get_by_role("button", name="Score the table").click()
    console.page.get_by_text("1 refused").wait_for()
    assert console.page.get_by_text("no feature has the name: remark").is_visible()
    assert console.page.get_by_text(HOSTILE).is_visible(), "an id is text, never markup"
    with console.page.expect_download() as started:
        console.page.get_by_role("link", name="Download scores").click()
    started.value.save_as(tmp_path / "scores.csv")
    got = list(csv.DictReader(io.StringIO((tmp_path / "scores.csv").read_text(), newline="")))
    answer = client.post("/predict", json={"applicants": [example]}).json()[0]
    assert [row["application_id"] for row in got] == ["c-0", "", HOSTILE]
    assert [float(got[place]["probability"]) for place in (0, 2)] == [answer["probability"]] * 2
    assert got[0]["remark"] == '\'=1+1, "x"', "a spreadsheet runs no formula of a table"
    assert got[1]["fault"].startswith(f"{number}: ")


def test_a_file_is_opened_and_longer_tables_go_in_chunks(console, example, tmp_path):
    (tmp_path / "table.csv").write_text(as_csv([example] * 600))
    console.page.get_by_label("open a CSV file").set_input_files(tmp_path / "table.csv")
    console.page.wait_for_function("document.getElementById('table-text').value.length > 1000")
    console.page.get_by_role("button", name="Score the table").click()
    console.page.get_by_text("600 rows: 600 ").wait_for()
    assert sum(url.endswith("/predict") for url in console.asked) == 3


def test_a_table_without_a_known_column_is_told_so(console):
    console.page.get_by_label("CSV", exact=True).fill("a,b\n1,2\n")
    console.page.get_by_role("button", name="Score the table").click()
    console.page.get_by_text("No column has the name of a feature").wait_for()


def test_on_a_phone_nothing_is_cut_off_and_the_result_stays_in_sight(browser, service):
    phone = Watched(browser, PHONE, dark=True)
    phone.page.goto(f"{service.url}/console")
    phone.page.get_by_role("button", name="Score", exact=True).click()
    phone.page.locator("#mini strong").wait_for()
    assert phone.sideways() == 0
    assert phone.brightness() < 60
    phone.page.close()


def test_the_page_is_used_by_keyboard_alone(console):
    console.page.keyboard.press("Tab")
    assert console.page.evaluate("document.activeElement.textContent") == "Skip to the form"
    console.page.locator("#field-0").focus()
    console.page.get_by_role("button", name="Score", exact=True).press("Enter")
    console.page.get_by_text("Recorded as").wait_for()


def test_what_the_form_is_made_from_is_json_for_programs(client):
    answer = client.get("/console", headers={"accept": "application/json"})
    assert json.loads(answer.content) == client.get("/model").json()
    assert answer.headers["cache-control"] == "no-store"
