"""The sections of the model card on what a validator looks at: Markdown from `evidence.json` and `stability.json`."""

from collections.abc import Sequence

from configs.dataset import Dataset
from train.evaluation.results import Evidence, format_estimate
from train.publishing.markdown import table
from train.validation.results import Behaviour, Interaction, Outcomes, Segment, Sensitivity, Stability

MOST = 10  # rows of a table
DECILES = """\
Over the held-out rows. Lift is the share of events over that of all rows; found is the share of all events in this
decile and the riskier ones."""
NEAR = "Near the threshold are the rows whose odds are within 1.5 times of the threshold's."
EFFECTS = """\
The figure "partial dependence" shows what the model makes of each column: the mean probability of applicants who are
all given the same value (blue), a curve for each of some applicants (grey), and where the data are dense (bars)."""
INTERACTIONS = """\
Strength is how far a joint effect departs from the sum of its parts, in log-odds; H puts that in relation to the joint
effect (Friedman and Popescu, 2008) and is large for small effects, too."""
ERRORS = """\
Share of decisions that an error in one column changes, all else equal, over 400 training rows. A number is off by a
tenth of its standard deviation, a whole number by one at least; a category is mistaken for each other one, as often as
that occurs."""
UNMEASURED = """\
Not measured for this model. `make stability` trains its recipe with ten seeds; the card of a model that is published
afterwards shows what came of it."""


def sections(dataset: Dataset, evidence: Evidence, stability: Stability | None) -> dict[str, str]:
    """The sections by title; those of figures that the evidence lacks are left out."""
    found = {}
    if evidence.outcomes is not None:
        found["Calibration and lift"] = calibration(evidence.outcomes)
        found["Segments"] = segments(dataset, evidence.outcomes.segments)
    if evidence.behaviour is not None:
        found["Effects, interactions and errors"] = behaviour(evidence.behaviour)
    found["Stability over seeds"] = UNMEASURED if stability is None else stable(stability)
    return found


def calibration(outcomes: Outcomes) -> str:
    """Deciles, and the rows at the threshold."""
    deciles = (
        (
            f"{number}",
            f"{part.lowest:.3f} to {part.highest:.3f}",
            f"{part.rows:,}",
            f"{part.predicted:.3f}",
            format_estimate(part.observed),
            f"{part.lift:.2f}",
            f"{part.found:.1%}",
        )
        for number, part in enumerate(outcomes.deciles, 1)
    )
    zones = (
        (
            zone.name,
            f"{zone.rows:,}",
            "" if zone.predicted is None else f"{zone.predicted:.3f}",
            "no such rows" if zone.observed is None else format_estimate(zone.observed),
        )
        for zone in outcomes.zones
    )
    heads = ("decile", "probability", "rows", "predicted", "observed", "lift", "found")
    return "\n\n".join([DECILES, table(heads, deciles), table(("", "rows", "predicted", "observed"), zones), NEAR])


def segments(dataset: Dataset, found: Sequence[Segment]) -> str:
    """The groups of the audits, and those of all others whose prediction is off."""
    audited = {audit.column for audit in dataset.audit}
    audited |= {feature.name for feature in dataset.features if feature.protected}
    shown = [segment for segment in found if segment.grouping in audited]
    others = [segment for segment in found if segment.grouping not in audited]
    off = sorted((one for one in others if one.off), key=lambda one: -abs(one.observed.value - one.predicted))
    heads = ("column", "group", "rows", "approved", "predicted", "observed", "ROC AUC", "cost")
    rows = [
        (
            f"`{one.grouping}`",
            one.name,
            f"{one.rows:,}",
            f"{one.approved:.1%}",
            f"{one.predicted:.3f}",
            format_estimate(one.observed),
            "too few outcomes" if one.roc_auc is None else format_estimate(one.roc_auc),
            f"{one.cost:.3f}",
        )
        for one in [*shown, *off[:MOST]]
    ]
    text = (
        f"Held-out rows by audited group. Of the {len(others)} other groups with enough rows, categories of a column "
        f"each, {len(off)} have a prediction outside the interval of what was observed, as some have by chance"
    )
    text += f"; the {min(len(off), MOST)} furthest off are shown too." if off else "."
    return "\n\n".join([table(heads, rows), text]) if rows else text


def behaviour(found: Behaviour) -> str:
    """Interactions and errors; the effects are a figure."""
    alone = [one for one in found.interactions if len(one.features) == 1][: MOST // 2]
    pairs = [one for one in found.interactions if len(one.features) == 2][: MOST // 2]
    return "\n\n".join(
        [
            EFFECTS,
            table(("interaction", "strength", "H"), map(_interaction, [*alone, *pairs])),
            INTERACTIONS,
            table(
                ("column", "error", "decisions changed", "change of the probability", "largest", "if lost"),
                map(_sensitivity, found.sensitivities[:MOST]),
            ),
            ERRORS,
        ]
    )


def _interaction(one: Interaction) -> tuple[str, str, str]:
    first, *other = (f"`{name}`" for name in one.features)
    return f"{first} with {other[0] if other else 'all others'}", f"{one.strength:.3f}", f"{one.h:.2f}"


def _sensitivity(one: Sensitivity) -> tuple[str, ...]:
    lost = "may not be" if one.lost is None else f"{one.lost:.1%}"
    return f"`{one.feature}`", one.error, f"{one.flips:.1%}", f"{one.mean:.3f}", f"{one.largest:.3f}", lost


def stable(found: Stability) -> str:
    """What changes with the seed of the training."""
    aucs, costs = [one.roc_auc for one in found.seeds], [one.cost for one in found.seeds]
    own = found.seeds[0]
    rows = [
        ("ROC AUC", f"{own.roc_auc:.4f}", f"{min(aucs):.4f} to {max(aucs):.4f}"),
        ("cost per applicant", f"{own.cost:.4f}", f"{min(costs):.4f} to {max(costs):.4f}"),
    ]
    text = (
        f"The recipe trained with {len(found.seeds)} seeds, on {found.rows:,} rows that {found.folds} folds held out. "
        f"Two seeds decide {found.flips:.1%} of the applicants differently; on {found.undecided:.1%} not all agree. "
        f"The probability of an applicant has a standard deviation of {found.deviation:.4f} over the seeds."
    )
    reasons = f"Of the test rows, {found.declined} are declined by every seed: too few to compare their reasons."
    if found.reasons_kept is not None and found.first_reason_kept is not None:
        reasons = (
            f"Of {found.declined} test rows that every seed declines, two seeds tell {found.reasons_kept:.1%} the same "
            f"set of reasons, and {found.first_reason_kept:.1%} the same first one."
        )
    return "\n\n".join([table(("over all seeds", "this seed", "lowest to highest"), rows), text, reasons])
