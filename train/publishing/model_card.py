"""The model card: what the run knows of its model, as Markdown and as one HTML page.

After Mitchell et al. (2019), "Model Cards for Model Reporting". Nothing in it is typed by hand for one model. Leaves
the numbers to `train.evaluation.evidence` and `train.gate`.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt

from configs.dataset import Dataset
from configs.model import ModelConfig
from models.background import Background
from train.evaluate import Metrics
from train.evaluation.cross_validation import Estimate
from train.evaluation.evidence import Evidence
from train.gate import Verdict, shown

USE = """\
To support a decision on an application like those of the table, by someone who can be asked why. Not for other
products, other populations, or applicants who differ from those of the table; not without the checks that the law asks
for."""
EXPLANATIONS = """\
`POST /explain` says what each input adds to the log-odds of the base rate: {rate:.4f}, the share of the event among the
training rows. The reference is {applicants} made-up applicants. Each of their columns is drawn for itself from those of
the training rows, so they are nobody's record and a column is explained as if it could change alone; they are weighted
so that their mean log-odds are those of the base rate. A contribution tells what moved the model, not what would change
if the applicant changed. An applicant may be declined below the base rate, where the threshold is lower."""
LIMITS = """\
The probabilities are those of the table's base rate, which need not be that of your applicants. What the table
leaves out, such as applicants who were refused, the model has not seen. Leaving protected columns out does not make
decisions fair: others may stand for them."""
TEST = ("roc_auc", "gini", "ks", "accuracy", "precision", "recall", "f1", "brier", "log_loss", "cost")
MOST_IMPORTANT = 10
STRONGEST = 5
STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2rem; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 0.9rem; }
th, td { padding: 0.25rem 0.75rem; text-align: left; }
tr { border-bottom: 1px solid #eee; } code { background: #f4f4f4; padding: 0 0.2em; }
figure { display: inline-block; margin: 0.5rem; } img { max-width: 24rem; }"""


def model_card(
    dataset: Dataset,
    config: ModelConfig,
    version: str,
    metrics: Metrics,
    evidence: Evidence,
    verdicts: Sequence[Verdict],
    data: Mapping[str, Any],
    background: Background,
    facts: Mapping[str, str],
) -> str:
    """The card of one model as Markdown; `data` is the report on its table, `facts` are rows of its first table."""
    protected = [feature.name for feature in dataset.features if feature.protected]
    about = {
        "predicts": f"the probability that `{dataset.target.column}` is `{dataset.target.event}`",
        "decision": f"decline from {dataset.threshold:.4f} upwards: a missed event costs "
        f"{dataset.costs.missed_event:g}, a false alarm {dataset.costs.false_alarm:g}",
        "architecture": config.description or "see the model config",
        "not an input": ", ".join(f"`{name}`" for name in protected) or "every feature is one",
        "data": f"{dataset.description} ({dataset.source.license or 'licence not stated'})",
        "source": dataset.source.citation or "not stated",
        **facts,
    }
    values = metrics.as_dict()
    sections = {
        "": table(("", ""), about.items()),
        "Intended use": USE,
        "Data": data_section(data),
        f"On {metrics.rows:,} test rows that training has not seen": table(
            ("metric", "value"), ((name, f"{values[name]:.4f}") for name in TEST)
        ),
        "On held-out folds of the training rows": folds_section(evidence, metrics),
        "Gates": gates_section(verdicts),
        "Groups": fairness_section(evidence),
        "What it looks at": table(
            ("column", "ROC AUC lost when it is shuffled"),
            (
                (f"`{found.feature}`", f"{found.mean:.4f} ± {found.deviation:.4f}")
                for found in evidence.importance[:MOST_IMPORTANT]
            ),
        ),
        "Explanations": EXPLANATIONS.format(rate=background.base_rate, applicants=len(background.applicants)),
        "Limits": LIMITS,
    }
    parts = [f"# {dataset.name}:{version}"]
    for title, body in sections.items():
        parts += [f"## {title}", body] if title else [body]
    return "\n\n".join(parts) + "\n"


def data_section(data: Mapping[str, Any]) -> str:
    """What the checks of the table found, and its strongest columns."""
    rows, events = data["rows"], data["events"]
    strongest = sorted(data["features"], key=lambda feature: -feature["information_value"])[:STRONGEST]
    named = ", ".join(f"`{feature['name']}` {feature['information_value']:.2f}" for feature in strongest)
    checks = ", ".join(f"{check} {verdict}" for check, verdict in data["checks"].items())
    lines = [
        f"{rows:,} rows, of which {events:,} ({events / rows:.1%}) have the event. Checks: {checks}.",
        *(f"- {finding['message']}" for finding in data["findings"]),
        f"Strongest alone, by information value: {named}.",
    ]
    return "\n\n".join(lines)


def folds_section(evidence: Evidence, metrics: Metrics) -> str:
    """The comparison on the same folds, and what leaving the protected columns out costs."""
    names = list(next(iter(evidence.candidates.values())))
    rows = ((name, *(_figure(found[metric]) for metric in names)) for name, found in evidence.candidates.items())
    text = (
        "Every interval has the corrected resampled variance of folds that overlap. Over all held-out rows: ROC AUC "
        f"{shown(evidence.roc_auc)}, calibration slope {shown(evidence.calibration_slope)}. Cost is per applicant; on "
        f"the test rows declining everyone costs {metrics.cost_of_declining_all:.4f}, approving everyone "
        f"{metrics.cost_of_approving_all:.4f}."
    )
    protection = (
        f"With the protected columns as inputs, ROC AUC would change by {shown(evidence.cost_of_protection)}: that is "
        "the cost of leaving them out."
        if evidence.cost_of_protection is not None
        else "No column is protected."
    )
    return "\n\n".join([table(("model", *names), rows), text, protection])


def gates_section(verdicts: Sequence[Verdict]) -> str:
    """Each gate with its verdict, and the reasons of those that were waived."""
    rows = ((v.status, v.gate, shown(v.figure) if v.figure else "measured anew each time", v.bound) for v in verdicts)
    reasons = [f"Waived, {verdict.gate}: {verdict.waiver}" for verdict in verdicts if verdict.waiver]
    return "\n\n".join([table(("verdict", "gate", "found", "allowed"), rows), *reasons])


def fairness_section(evidence: Evidence) -> str:
    """Each audited group: how many of it are approved, and how often it is wronged."""
    if not evidence.fairness:
        return "The dataset file names no groups to audit."
    rows = (
        (
            f"`{audit.column}`",
            group.name,
            f"{group.rows:,}",
            f"{group.approved:.1%}",
            f"{group.declined_without_event:.1%}",
            f"{group.approved_with_event:.1%}",
        )
        for audit in evidence.fairness
        for group in audit.groups
    )
    heads = ("column", "group", "rows", "approved", "declined though no event", "approved though event")
    return table(heads, rows)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""A table in Markdown.

    >>> print(table(("a", "b"), [("1", "x|y")]))
    | a | b |
    |---|---|
    | 1 | x\|y |
    """
    body = (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    return "\n".join([f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *body])


def html_page(card: str, title: str, figures: Mapping[str, bytes]) -> str:
    """The card as one page that loads nothing; `figures` are PNG files by name."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(card)
    pictures = "".join(
        f'<figure><img alt="{escape(name.replace("_", " "))}" src="data:image/png;base64,'
        f'{base64.b64encode(content).decode()}"></figure>\n'
        for name, content in figures.items()
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>\n{STYLE}\n</style>\n</head>\n<body>\n{body}"
        f"<h2>Figures, on the test rows</h2>\n{pictures}</body>\n</html>\n"
    )


def _figure(estimate: Estimate) -> str:
    return f"{estimate.value:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"
