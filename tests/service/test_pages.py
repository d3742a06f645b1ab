"""The pages: the API page, its document, the model card, and health."""

import json
import re

import jsonschema
import pytest

from tests.train.test_tracking import FIGURES


@pytest.fixture(scope="module")
def document(client):
    """The OpenAPI document."""
    return client.get("/docs.json").json()


def test_the_example_of_the_api_page_succeeds_when_it_is_sent(client, document):
    (content,) = document["paths"]["/predict"]["post"]["requestBody"]["content"].items()
    assert content[0] == "application/json"
    applicants = content[1]["schema"]["properties"]["applicants"]
    answer = client.post("/predict", json={"applicants": applicants["example"]})
    assert answer.status_code == 200, answer.text


def test_the_document_is_about_this_model(document, trained):
    assert trained.tag.endswith(f":{document['info']['version']}")
    assert "bentoml" not in json.dumps(document["info"]).lower()


def test_the_document_names_every_route_and_the_shape_of_errors(client, document):
    routes = {"/predict", "/explain", "/feedback", "/model", "/model/card", "/monitor", "/console"}
    assert routes <= set(document["paths"])
    refused = document["paths"]["/predict"]["post"]["responses"]["422"]["content"]["application/json"]["schema"]
    shape = document["components"]["schemas"][refused["$ref"].rsplit("/", 1)[1]]
    jsonschema.validate(client.post("/predict", json={"applicants": []}).json(), as_json_schema(shape))


def as_json_schema(schema):
    """OpenAPI 3.0 says `nullable` where JSON Schema has a type more."""
    if isinstance(schema, list):
        return [as_json_schema(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: as_json_schema(value) for key, value in schema.items() if key != "nullable"}
    if schema.get("nullable") and "type" in made:
        made["type"] = [made["type"], "null"]
    return made


def test_the_page_loads_nothing_from_elsewhere(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    policy = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert "script-src" not in policy, "scripts come from the service alone, and none stands in the page"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cross-origin-opener-policy"] == page.headers["cross-origin-resource-policy"] == "same-origin"
    assert "strict-transport-security" not in page.headers, "without TLS a browser would be locked out"


def test_the_page_has_the_name_of_the_product_and_links_to_the_others(client, document):
    page = client.get("/").text
    title = document["info"]["title"]
    assert title == "credit-scorer: german_credit"
    assert f"<title>{title}</title>" in page
    assert f"<h1>{title}</h1>" in page
    assert "bentoml" not in page.lower(), "no ribbon"
    links = re.findall(r'<a href="\.(/[^"]*)"', page)
    assert {"/model", "/model/card", "/docs.json", "/metrics"} <= set(links)
    loaded = re.findall(r'(?:href|src)="\./([^"]*)"', page)
    assert len(loaded) > len(links)
    for path in loaded:
        known = (200, 503) if path == "monitor" else (200,)  # the first report takes a minute
        assert client.get(f"/{path}").status_code in known, path


def test_health_needs_nothing(client):
    assert client.get("/livez").status_code == client.get("/readyz").status_code == 200


def test_metrics_are_in_the_version_of_the_format_that_every_collector_reads(client):
    for accept in ("*/*", "text/plain", "application/openmetrics-text;version=1.0.0,text/plain;version=1.0.0;q=0.5"):
        answer = client.get("/metrics", headers={"accept": accept})
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    types = [line for line in answer.text.splitlines() if line.startswith("# TYPE ")]
    assert len(types) == len(set(types)) > 5


@pytest.mark.parametrize("path", ["/predict/", "/explain/", "/v2/health/live/", "/model/", "/livez/"])
def test_a_path_with_a_slash_too_many_is_no_route_and_sends_nobody_elsewhere(client, path):
    """Behind a proxy that ends TLS, a redirection has the applicant's data sent again, in the clear."""
    answer = client.post(path, json={"applicants": []}, headers={"host": "localhost"})
    assert (answer.status_code, answer.headers.get("location")) == (404, None)


def test_the_model_card_is_served_as_a_page_and_as_markdown(client, trained):
    page = client.get("/model/card")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"]
    assert f"<h1>{trained.tag}</h1>" in page.text
    assert page.text.count("<img ") == page.text.count("data:image/png;base64,") == len(FIGURES)
    card = client.get("/model/card", headers={"accept": "text/markdown"})
    assert card.headers["content-type"].startswith("text/markdown")
    assert card.text == (trained.folder / "model_card.md").read_text()
    for told in ("Intended use", "Gates", "warn", "cost of leaving them out", "Limits", "make train DATASET="):
        assert told in card.text
