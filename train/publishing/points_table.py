"""The points table of a scorecard, for the model card: what each bin of each column adds.

Owns the table. Leaves the card to `train.scorecard.learning`, which gives the same one for the same rows, and the scale
to `models.points`.
"""

from configs.dataset import Dataset
from configs.model import ModelConfig
from models.points import Points
from models.schema import Schema
from train.scorecard.learning import Card, learn, names_of
from train.tables.table import Table

POINTS = """\
An applicant starts with {base:.1f} points, and each of its values adds those of its bin. The sum, rounded, is the \
score, to a point. A category that no training row has adds nothing."""
LOG_ODDS = """\
An applicant starts with log-odds of the event of {base:.4f}, and each of its values adds those of its bin. With a \
`score` in the dataset file these are points."""


def points_table(schema: Schema, config: ModelConfig, training: Table) -> str:
    """The table as Markdown; empty where the model is no scorecard."""
    if config.scorecard is None:
        return ""
    return markdown(learn(schema, training, config, config.scorecard), schema.dataset)


def markdown(card: Card, dataset: Dataset) -> str:
    """The table of one card."""
    points = Points(dataset.score) if dataset.score else None
    start = card.slope * card.base + card.intercept
    head = "points" if points else "log-odds"
    text = POINTS.format(base=points.offset - points.factor * start) if points else LOG_ODDS.format(base=start)
    lines = [text, "", f"| column | bin | rows | {head} |", "|---|---|---|---|"]
    for column in card.columns:
        bins = [
            (name, f"{rows:,}", float(odds))
            for name, rows, odds in zip(names_of(column), column.rows, column.log_odds, strict=True)
        ]
        if column.missing is not None:
            bins.append(("missing", "", column.missing))
        for name, rows, odds in bins:
            added = card.slope * odds
            shown = f"{-points.factor * added:+.1f}" if points else f"{added:+.4f}"
            lines.append(f"| `{column.feature.name}` | {name.replace('|', chr(92) + '|')} | {rows} | {shown} |")
    return "\n".join(lines)
