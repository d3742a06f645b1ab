"""The page of a run: verdict, totals, comparison and plot in one HTML file that needs no other."""

import base64
import html
from pathlib import Path

from loadtests.counting.progress import most_frequent
from loadtests.results.record import Record
from loadtests.verdict import classes_table

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1d1d1f }
pre { background: #f5f5f7; padding: 1rem; overflow-x: auto; font-size: 13px }
table { border-collapse: collapse } td, th { padding: .25rem .8rem .25rem 0; text-align: left; vertical-align: top }
.passed { color: #006b3c } .missed { color: #b00020 } img { max-width: 100% }
"""


def page(record: Record, plot: Path) -> str:
    """The page as text."""
    word = "passed" if record.passed else "missed"
    facts = {
        "service": f"{record.target}, {record.model}",
        "load": f"{record.shape}, {record.users} users, {record.run_s:.0f} s, processes of locust: {record.processes}",
        "applicants": record.applicants,
        "machine": record.calibration.machine,
        "calibration": f"{record.calibration.before_us:.0f} µs before, {record.calibration.after_us:.0f} µs after",
        "load generator": f"busiest process at {record.busy:.0%} of a core",
    }
    rows = "".join(f"<tr><th>{key}</th><td>{html.escape(value)}</td></tr>" for key, value in facts.items())
    others = [check for check in record.checks if check.subject not in record.measured]
    judged = "".join(
        f"<tr><th>{html.escape(check.subject)}</th><td class='{'missed' if check.missed else ''}'>{check.word}</td>"
        f"<td>{html.escape(check.note)}</td></tr>"
        for check in others
    )
    reasons = "".join(f"<li>{html.escape(text)}</li>" for text in most_frequent(record.ledger.reasons, 20))
    steps = "".join(
        f"<li>{step.users} users: {step.per_s:,.0f} requests/s, {html.escape(', '.join(step.missed)) or 'held'}</li>"
        for step in record.steps
    )
    image = base64.b64encode(plot.read_bytes()).decode()
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Load test {record.time}: {word}</title><style>{STYLE}</style></head>
<body><h1>Load test {record.time}: <span class="{word}">{word}</span></h1>
<table>{rows}</table>
<h2>User classes</h2><pre>{html.escape(classes_table(record.measured, record.checks))}</pre>
<h2>The run as a whole</h2><table>{judged}</table>
{f"<h2>Steps</h2><ol>{steps}</ol>" if steps else ""}
{f"<h2>Refused and lost</h2><ul>{reasons}</ul>" if reasons else ""}
<h2>Over time</h2><img alt="users, requests per second and latencies over time" src="data:image/png;base64,{image}">
<p>locust's own page: <a href="locust.html">locust.html</a>. All figures: <a href="results.json">results.json</a>.</p>
</body></html>
"""
