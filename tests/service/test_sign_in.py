"""Pages for people where callers need a key: a browser asks for it, keeps it nowhere, and everybody else gets a 401."""

import pytest

from monitoring.report.writing import write
from tests.browser import Watched, browsing
from tests.conftest import Server, apart
from tests.monitoring.report.conftest import make_figures  # noqa: F401 - a fixture
from tests.service.test_keys import FILE, SECRETS, bearer, error_of


@pytest.fixture(scope="module")
def keyed(trained, tmp_path_factory):
    """A service that asks for keys, which has a report."""
    home = tmp_path_factory.mktemp("keyed")
    (home / "keys.yaml").write_text(FILE)
    variables = {"SCORER_KEYS_FILE": str(home / "keys.yaml"), "SCORER_KEYS_WITHOUT_TLS": "true"}
    server = Server(apart(trained, home) | variables, home / "serve.log", options=())
    yield server
    server.stop()
    assert not [secret for secret in SECRETS.values() if secret in server.log.read_text()]


@pytest.fixture(scope="module")
def browser():
    with browsing() as found:
        yield found


@pytest.fixture
def watched(browser):
    found = Watched(browser)
    yield found
    stored = found.page.evaluate(
        "[JSON.stringify({...localStorage, ...sessionStorage}), document.cookie, location.href]"
    )
    assert not [secret for secret in SECRETS.values() if secret in "".join(stored)], "the key is kept nowhere"
    found.page.close()
    assert [said for said in found.said if "Failed to load resource" not in said] == []


def sign_in(watched, secret):
    watched.page.get_by_label("API key").fill(secret)
    watched.page.get_by_role("button", name="Open").click()


@pytest.mark.parametrize("path", ["/console", "/monitor"])
def test_without_a_key_a_browser_gets_a_form_and_a_program_the_shape_of_errors(keyed, path):
    import httpx

    page = httpx.get(keyed.url + path, headers={"accept": "text/html,*/*"})
    assert (page.status_code, page.headers["www-authenticate"]) == (401, "Bearer")
    assert page.headers["content-type"].startswith("text/html")
    assert "german" not in page.text, "the page says nothing of the model"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    error_of(httpx.get(keyed.url + path), 401, "unauthenticated")
    error_of(httpx.get(f"{keyed.url}/model", headers={"accept": "text/html"}), 401, "unauthenticated")


def test_the_console_opens_with_a_key_that_may_predict_and_scores_with_it(keyed, watched):
    watched.page.goto(f"{keyed.url}/console")
    sign_in(watched, "no-such-key")
    watched.page.get_by_role("alert").filter(has_text="key").first.wait_for()
    sign_in(watched, SECRETS["scorer"])
    watched.page.get_by_role("button", name="Score", exact=True).click()
    watched.page.get_by_text("Recorded as").wait_for()


def test_the_report_opens_with_a_key_that_may_read(keyed, watched, make_figures):  # noqa: F811 - the fixture
    write(keyed.log.parent / "var/monitor", make_figures())
    watched.page.goto(f"{keyed.url}/monitor")
    sign_in(watched, SECRETS["scorer"])
    watched.page.get_by_text("needs the permission read").wait_for()
    sign_in(watched, SECRETS["reader"])
    watched.page.get_by_role("heading", name="Monitor: ").wait_for()
    assert watched.page.get_by_label("API key").count() == 0


def test_the_permissions_of_the_pages_are_those_of_the_contract(keyed, make_figures):  # noqa: F811 - the fixture
    import httpx

    write(keyed.log.parent / "var/monitor", make_figures())
    with httpx.Client(base_url=keyed.url) as caller:
        assert caller.get("/console", headers=bearer("scorer")).status_code == 200
        assert caller.get("/console", headers=bearer("reader")).status_code == 403
        assert caller.get("/monitor", headers=bearer("reader")).status_code == 200
        assert caller.get("/monitor", headers=bearer("scorer")).status_code == 403
        figures = caller.get("/monitor", headers=bearer("reader") | {"accept": "application/json"})
        assert {"made_at", "columns", "windows", "changes"} <= figures.json().keys()
