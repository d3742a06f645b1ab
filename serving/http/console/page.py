"""The console's page: its skeleton, and the description of the model that its form is made from.

Owns the HTML. The scripts beside this file build form and results; style, frame and policy are those of the report.
"""

from pathlib import Path
from typing import Any

import msgspec

from monitoring.report.document import BASE, asset, document, policy, served

HERE = Path(__file__).parent
STYLES = (BASE, HERE / "console.css")
SCRIPTS = tuple(HERE / f"{name}.js" for name in ("session", "csv", "form", "result", "table", "start"))
BODY = """\
<a class="skip" href="#main">Skip to the form</a>
<header class="bar"><div class="wrap"><h1>Console</h1><span class="quiet" id="model"></span>
<nav aria-label="pages"><a href="monitor">monitor</a><a href="model/card">model card</a><a href=".">API</a></nav></div>
</header>
<main id="main" class="wrap">
<section id="sign-in-card" class="card sign-in" hidden><form id="sign-in"><h2>This service asks for a key</h2>
<label for="key">API key</label><input id="key" type="password" autocomplete="off" spellcheck="false" required>
<p class="quiet small">One with the permission <b>predict</b>. It stays in this page and is gone when you close it.</p>
<p class="error" id="sign-in-error" role="alert"></p><div><button>Open</button></div></form></section>
<div id="app" hidden>
<div class="columns">
<section class="card" aria-labelledby="applicant-title"><h2 id="applicant-title">Applicant</h2>
<form id="form" novalidate><div id="fields"></div><p class="error" id="form-error" role="alert"></p>
<div class="actions"><label for="reference">your own reference, if you have one
<input id="reference" maxlength="64" autocomplete="off"></label>
<button id="score">Score</button>
<button type="button" class="second" id="example">Fill in the example</button></div></form>
</section>
<section class="card beside" aria-labelledby="result-title"><h2 id="result-title">Result</h2>
<div id="result" aria-live="polite"><p class="quiet">Press <b>Score</b>: the decision is recorded, with its reasons
here. Then move a field to see what would change.</p></div></section>
</div>
<section class="card spaced" aria-labelledby="table-title"><h2 id="table-title">A table</h2>
<p class="quiet">Paste rows of a CSV with a header, or open a file. Every row is scored and recorded.</p>
<form id="table-form"><label for="table-text">CSV</label>
<textarea id="table-text" spellcheck="false" required></textarea>
<div class="table-tools"><input type="file" id="table-file" accept=".csv,.txt,text/csv" aria-label="open a CSV file">
<button id="table-score">Score the table</button>
<button type="button" class="second" id="table-stop" hidden>Stop</button>
<a class="button second" id="download" download="scores.csv" hidden>Download scores</a></div></form>
<p class="error" id="table-error" role="alert"></p><p class="quiet small" id="table-note"></p>
<div id="progress-line" hidden><progress id="progress" aria-labelledby="progress-text"></progress>
<p id="progress-text" aria-live="polite"></p></div>
<div id="table-result" class="scroll"></div></section>
</div>
<div id="mini" hidden></div>
</main>
<script type="application/json" id="described">{described}</script>"""


def console(described: dict[str, Any] | None) -> str:
    """The page: with the description of the model, or asking for a key that may have it."""
    text = "null" if described is None else msgspec.json.encode(described).decode()
    data = text.replace("<", "\\u003c")  # so that no value ends the element
    return document("Console", BODY.replace("{described}", data), *_parts())


def console_policy() -> str:
    """The Content-Security-Policy of the page."""
    return served(policy(*_parts()))


def _parts() -> tuple[list[str], list[str]]:
    return [asset(path) for path in STYLES], [asset(path) for path in SCRIPTS]
