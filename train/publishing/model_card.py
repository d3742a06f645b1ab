"""The model card, as Markdown and as a single HTML page.

After Mitchell et al. (2019), "Model Cards for Model Reporting". No part of it is written by hand for one model. Leaves
the numbers to `train.evaluation.evidence` and `train.gate`.
"""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt

from configs.dataset import Dataset
from configs.model import ModelConfig
from models.background import Background
from train.evaluation.results import Estimate, Evidence, Metrics, Verdict, format_estimate, format_figure
from train.gating.judgement import Judgement
from train.publishing.markdown import table
from train.publishing.policy_text import decision_line, figures_text, referred_text, score_section
from train.publishing.population_section import VINTAGE_HEADS, VINTAGE_TEXT, limits, parts, rate, vintage_rows
from train.validation.results import Stability
from train.validation.sections import sections as validation_sections

USE = """\
To support a decision on an application like those in the table, by a person who can explain it. Not for other products,
other populations, or applicants unlike those in the table; not without the checks that the law requires."""
EXPLANATIONS = """\
`POST /explain` returns what each input adds to the log-odds of the base rate: {rate:.4f}, the share of the event among
{whose}. The reference is {applicants} synthetic applicants. Each of their columns is drawn independently from
the training rows, so they are nobody's record, and a column is explained as if it could change alone; they are weighted
so that their mean log-odds are those of the base rate. A contribution shows what moved the model, not what would happen
if the applicant changed. Where the threshold is below the base rate, an applicant between the two is declined."""
LIMITS = """\
{rate} The model has not seen
what the table leaves out, such as applicants who were refused. Leaving protected columns out does not make decisions
fair: other columns may stand in for them."""
VINTAGES = "By vintage"
TEST = ("roc_auc", "gini", "ks", "accuracy", "precision", "recall", "f1", "brier", "log_loss", "cost")
RATES, FEW = ("declined_without_event", "approved_with_event"), ", too few to judge"
MOST_IMPORTANT = 10
STRONGEST = 5
STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2rem; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 0.9rem; }
th, td { padding: 0.25rem 0.75rem; text-align: left; }
tr { border-bottom: 1px solid #eee; } code { background: #f4f4f4; padding: 0 0.2em; }
figure { display: inline-block; margin: 0.5rem; } img { max-width: 24rem; } img.wide { max-width: 100%; }"""
WIDE_PIXELS = 600  # from which a figure has many parts, and takes the whole width


def model_card(
    dataset: Dataset,
    config: ModelConfig,
    version: str,
    metrics: Metrics,
    evidence: Evidence,
    judgement: Judgement,
    data: Mapping[str, Any],
    background: Background,
    facts: Mapping[str, str],
    points: str = "",
    stability: Stability | None = None,
    alternatives: str = "",
) -> str:
    """The card as Markdown; `data` is the report on the table, `facts` are further rows of the card's first table.

    `points` is the table of a scorecard.
    """
    protected = [feature.name for feature in dataset.features if feature.protected]
    monotone = {feature.name: feature.monotone for feature in dataset.features if feature.monotone}
    about = {
        "predicts": f"the probability that `{dataset.target.column}` is `{dataset.target.event}`",
        "decision": decision_line(dataset),
        "base rate": rate(dataset, background.base_rate, data),
        "architecture": config.description or "see the model config",
        "not an input": ", ".join(f"`{name}`" for name in protected) or "none: every feature is an input",
        "monotone": ", ".join(f"`{name}` {how}" for name, how in monotone.items()) or "no feature",
        "data": f"{dataset.description} ({dataset.source.license or 'licence not stated'})",
        "source": dataset.source.citation or "not stated",
        **facts,
    }
    values = metrics.as_dict()
    sections = {
        "": table(("", ""), about.items()),
        "Intended use": USE,
        "Data": data_section(data),
        f"On {metrics.rows:,} test rows that training did not see": "\n\n".join(
            [
                table(("metric", "value"), ((name, f"{values[name]:.4f}") for name in TEST)),
                *filter(None, [parts(dataset)]),
                *figures_text(evidence.unseen),
                attempts(judgement.attempt),
            ]
        ),
        "On held-out folds of the training rows": folds_section(evidence, metrics),
        VINTAGES: f"{table(VINTAGE_HEADS, vintage_rows(evidence.vintages))}\n\n{VINTAGE_TEXT}",
        "Gates": gates_section(judgement.verdicts),
        "Groups": fairness_section(evidence),
        **({"Score": score_section(dataset, dataset.score)} if dataset.score else {}),
        **({"Points of each bin": points} if points else {}),
        "Most important columns": table(
            ("column", "ROC AUC lost when shuffled"),
            (
                (f"`{found.feature}`", f"{found.mean:.4f} ± {found.deviation:.4f}")
                for found in evidence.importance[:MOST_IMPORTANT]
            ),
        ),
        "Values that training did not see": walks_section(evidence),
        **validation_sections(dataset, evidence, stability),
        **({"Less discriminatory alternatives": alternatives} if alternatives else {}),
        "Explanations": explanations_section(evidence, background, dataset.prior),
        "Limits": LIMITS.format(rate=limits(dataset)),
    }
    if not evidence.vintages:
        del sections[VINTAGES]
    written = [f"# {dataset.name}:{version}"]
    for title, body in sections.items():
        written += [f"## {title}", body] if title else [body]
    return "\n\n".join(written) + "\n"


def attempts(attempt: int) -> str:
    """How many models have been measured on these rows before."""
    if attempt == 1:
        return "No other model was measured on test rows of these outcomes before, as far as is known here."
    return (
        f"This is model {attempt} that was measured on test rows of these outcomes, as far as is known here. The best "
        "of several looks better on them than it is."
    )


def data_section(data: Mapping[str, Any]) -> str:
    """What the data checks found, and the strongest columns."""
    rows, events = data["rows"], data["events"]
    strongest = sorted(data["features"], key=lambda feature: -feature["information_value"])[:STRONGEST]
    named = ", ".join(f"`{feature['name']}` {feature['information_value']:.2f}" for feature in strongest)
    checks = ", ".join(f"{check} {verdict}" for check, verdict in data["checks"].items())
    lines = [
        f"{rows:,} rows, of which {events:,} ({events / rows:.1%}) have the event. Checks: {checks}.",
        *(f"- {finding['message']}" for finding in data["findings"]),
        f"Strongest single columns, by information value: {named}.",
    ]
    return "\n\n".join(lines)


def folds_section(evidence: Evidence, metrics: Metrics) -> str:
    """The comparison on the same folds, and the cost of leaving the protected columns out."""
    names = list(next(iter(evidence.candidates.values())))
    rows = ((name, *(_figure(found[metric]) for metric in names)) for name, found in evidence.candidates.items())
    roc_auc, slope = format_estimate(evidence.roc_auc), format_estimate(evidence.calibration_slope)
    text = (
        "Intervals use the corrected resampled variance, because folds overlap. Over all held-out rows: ROC AUC "
        f"{roc_auc}, calibration slope {slope}. Cost is per applicant; on the test rows, declining everyone costs "
        f"{metrics.cost_of_declining_all:.4f}, approving everyone {metrics.cost_of_approving_all:.4f}."
    )
    protection = "No columns are protected."
    if evidence.cost_of_protection is not None:
        change = format_estimate(evidence.cost_of_protection)
        protection = (
            f"With the protected columns as inputs, ROC AUC would change by {change}: the cost of leaving them out."
        )
    parts = [table(("model", *names), rows), text, protection]
    if evidence.cost_of_monotone is not None:
        change = format_estimate(evidence.cost_of_monotone)
        parts.append(f"With no feature held monotone, ROC AUC would change by {change}: the cost of holding them.")
    return "\n\n".join(parts)


def gates_section(verdicts: Sequence[Verdict]) -> str:
    """Each gate with its verdict, and the reason for each waiver."""
    rows = ((v.status, v.gate, format_figure(v, "varies from run to run"), v.bound) for v in verdicts)
    reasons = [f"Waiver for {verdict.gate}: {verdict.waiver}" for verdict in verdicts if verdict.waiver]
    return "\n\n".join([table(("verdict", "gate", "found", "allowed"), rows), *reasons])


def fairness_section(evidence: Evidence) -> str:
    """The approval rate and both error rates of each audited group; a share of no rows is undefined, not 0."""
    if not evidence.fairness:
        return "The dataset file defines no groups to audit."
    rows = (
        (
            f"`{audit.column}`",
            group.name,
            f"{group.rows:,}" if group.judged else f"{group.rows:,}, too few to judge",
            _share(group.approved),
            *(_share(getattr(group, rate)) + (FEW if rate in group.few else "") for rate in RATES),
        )
        for audit in evidence.fairness
        for group in audit.groups
    )
    heads = ("column", "group", "rows", "approved", "declined without the event", "approved with the event")
    return "\n\n".join([table(heads, rows), *referred_text(evidence.fairness)])


def walks_section(evidence: Evidence) -> str:
    """What the dataset file allows and the training rows lack, and how far it may take an applicant."""
    rows = [
        (f"`{walk.feature}`", ", ".join(walk.unseen), f"{walk.departure:.4f}") for walk in evidence.walks if walk.unseen
    ]
    if not rows:
        return "None: the training rows fill what the dataset file allows."
    text = (
        "Beyond the ends of the training rows a number counts as the nearest of them, and a category that no row has "
        "as the average applicant. The departure is the largest distance of a probability there, or in a gap, from "
        "those at the seen values around it."
    )
    return "\n\n".join([table(("column", "allowed and unseen", "departure"), rows), text])


def explanations_section(evidence: Evidence, background: Background, prior: float | None) -> str:
    """What an explanation is, and how many of the reasons would be the same after a training with another seed."""
    whose = "the training rows" if prior is None else "all applicants, as `prior` says"
    text = EXPLANATIONS.format(rate=background.base_rate, whose=whose, applicants=len(background.applicants))
    if evidence.reasons_kept is None:
        return text
    kept = format_estimate(evidence.reasons_kept)
    return f"{text}\n\nOf the declined test rows, this share keeps its set of reasons with another seed: {kept}."


def html_page(card: str, title: str, figures: Mapping[str, bytes]) -> str:
    """The card as a self-contained page; `figures` are PNG files by name."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(card)
    pictures = "".join(
        f'<figure><img{_class(content)} alt="{escape(name.replace("_", " "))}" src="data:image/png;base64,'
        f'{base64.b64encode(content).decode()}"></figure>\n'
        for name, content in figures.items()
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>\n{STYLE}\n</style>\n</head>\n<body>\n{body}"
        f"<h2>Figures, on the test rows where not said otherwise</h2>\n{pictures}</body>\n</html>\n"
    )


def _class(png: bytes) -> str:
    """The class of a figure, by the width in its header (PNG, third edition, 11.2.1)."""
    return ' class="wide"' if int.from_bytes(png[16:20]) > WIDE_PIXELS else ""


def _share(share: float | None) -> str:
    return "undefined: no such rows" if share is None else f"{share:.1%}"


def _figure(estimate: Estimate) -> str:
    return f"{estimate.value:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"
