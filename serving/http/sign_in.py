"""Pages for people where callers need a key, which a browser cannot bring when it opens an address.

Owns the answer to such a request: still a 401, whose body is a page that takes the key and asks again with it. That
page holds no figure and no name of the model. Everybody else gets the one shape of errors.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import Scope

from models.errors import Rejected
from monitoring.report.document import report, report_policy
from serving.error_responses import error_response
from serving.http.console.page import console, console_policy
from serving.http.responses import PAGE_HEADERS

FORM = """\
<header class="bar"><div class="wrap"><h1>Monitor</h1></div></header>
<main id="main" class="wrap"><section class="card sign-in"><form id="sign-in"><h2>This service asks for a key</h2>
<label for="key">API key</label><input id="key" type="password" autocomplete="off" spellcheck="false" required>
<p class="quiet small">One with the permission <b>read</b>. It stays in this page and is gone when you close it.</p>
<p class="error" id="sign-in-error" role="alert"></p><div><button>Open</button></div></form></section></main>"""
PAGES: Mapping[str, tuple[Callable[[], str], Callable[[], str]]] = {
    "/monitor": (lambda: report("Monitor", FORM), report_policy),
    "/console": (lambda: console(None), console_policy),
}


def refusal_response(scope: Scope, headers: Mapping[bytes, bytes], refusal: Rejected) -> Response:
    """The answer to a refused request: a page that asks for a key, where a browser opens a page without one."""
    refused = error_response(scope, refusal)
    by_browser = scope["method"] == "GET" and b"text/html" in headers.get(b"accept", b"")
    if refusal.status != HTTPStatus.UNAUTHORIZED or scope["path"] not in PAGES or not by_browser:
        return refused
    page, policy = PAGES[scope["path"]]
    answer = Response(page(), refusal.status, media_type="text/html", headers={"content-security-policy": policy()})
    kept = [line for line in refused.raw_headers if line[0] not in (b"content-type", b"content-length")]
    known = {name for name, _ in answer.raw_headers}
    answer.raw_headers += [*kept, *(line for line in PAGE_HEADERS if line[0] not in known)]
    return answer
