"""The model card: what the run knows of its model, as Markdown. Nothing in it is typed by hand for one model."""

from configs.dataset import Dataset
from configs.model import ModelConfig
from train.evaluate import Metrics

LIMITS = """\
The probabilities are those of the table's base rate, which need not be that of your applicants. What the table
leaves out, such as applicants who were refused, the model has not seen. Leaving protected columns out does not make
decisions fair: others may stand for them."""
SHOWN = ("roc_auc", "gini", "ks", "brier", "log_loss", "cost", "calibration_slope", "calibration_intercept")


def model_card(dataset: Dataset, config: ModelConfig, version: str, metrics: Metrics, facts: dict[str, str]) -> str:
    """The card of one model; `facts` are further rows of its first table."""
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
    cost = (
        f"Cost is per applicant; declining everyone costs {metrics.cost_of_declining_all:.4f}, "
        f"approving everyone {metrics.cost_of_approving_all:.4f}."
    )
    lines = [
        f"# {dataset.name}:{version}",
        "",
        "| | |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in about.items()),
        "",
        f"## On {metrics.rows} test rows that no choice has touched",
        "",
        "| metric | value |",
        "|---|---|",
        *(f"| {name} | {values[name]:.4f} |" for name in SHOWN),
        "",
        cost,
        "",
        "## Limits",
        "",
        LIMITS,
        "",
    ]
    return "\n".join(lines)
