"""A verdict on one figure: what passes, warns and fails, and what a waiver changes.

Owns the rules. Leaves the figures to `train.evaluation`, and the bounds to `configs/gates.yaml`. Most gates fail when
the whole interval of their figure lies beyond the bound, and warn when only the value does. What a model is there for,
that it saves and gains, it has to show: there the lower limit has to lie above the bound. A figure that is undefined,
such as a difference from a group without a single event, is not judged, and its gate says so.
"""

from msgspec import structs

from configs.dataset import Dataset
from configs.gates import Gates, Waiver
from train.errors import PipelineError
from train.evaluation.numbers import Unit, format_number
from train.evaluation.results import Estimate, Status, Verdict

SHOWN = "shown to be above"


def at_least(gate: str, figure: Estimate | None, bound: float, remedy: str) -> Verdict:
    """A verdict that fails below the bound; on an undefined figure there is none.

    >>> at_least("saving", Estimate(-0.1, -0.2, 0.1), 0.0, "").status, at_least("saving", None, 0.0, "").status
    ('warn', 'not judged')
    """
    status: Status = "not judged"
    if figure is not None:
        status = "pass" if figure.value >= bound else "warn" if figure.high >= bound else "fail"
    return Verdict(gate=gate, status=status, figure=figure, bound=f"at least {format_number(bound)}", remedy=remedy)


def at_most(gate: str, figure: Estimate | None, bound: float, remedy: str, unit: Unit = "") -> Verdict:
    """A verdict that fails above the bound; on an undefined figure there is none."""
    status: Status = "not judged"
    if figure is not None:
        status = "pass" if figure.value <= bound else "warn" if figure.low <= bound else "fail"
    allowed = f"at most {format_number(bound, unit)}"
    return Verdict(gate=gate, status=status, figure=figure, bound=allowed, remedy=remedy, unit=unit)


def shown(gate: str, figure: Estimate | None, bound: float, margin: float, remedy: str) -> Verdict:
    """A verdict with the burden of proof on the model: the lower limit has to lie above the bound less the margin.

    >>> shown("saving", Estimate(0.1, -0.1, 0.3), 0.0, 0.0, "").status, shown("saving", None, 0.0, 0.0, "").status
    ('fail', 'fail')
    >>> shown("gain", Estimate(-0.001, -0.004, 0.002), 0.0, 0.01, "").status
    'warn'
    """
    status: Status = "fail"
    if figure is not None and figure.low > bound - margin:
        status = "pass" if figure.value >= bound else "warn"
    lowest = f"{SHOWN} {format_number(bound - margin)}"
    return Verdict(gate=gate, status=status, figure=figure, bound=lowest, remedy=remedy)


def exact(gate: str, value: float, bound: float, remedy: str, unit: Unit = "", *, reproducible: bool = True) -> Verdict:
    """A verdict on a figure without an interval; one that is not reproducible is left out of it."""
    verdict = at_most(gate, Estimate(value, value, value), bound, remedy, unit)
    return verdict if reproducible else structs.replace(verdict, figure=None)


def apply_waivers(dataset: Dataset, gates: Gates, verdicts: list[Verdict]) -> list[Verdict]:
    """The verdicts after this dataset's waivers; a waiver of an unknown gate is an error."""
    waivers = {waiver.gate: waiver for waiver in gates.waivers if waiver.dataset == dataset.name}
    if stray := waivers.keys() - {verdict.gate for verdict in verdicts}:
        known = ", ".join(sorted(verdict.gate for verdict in verdicts))
        raise PipelineError(f"waivers of unknown gates: {', '.join(sorted(stray))}; the gates are: {known}")
    return [apply_waiver(verdict, waivers.get(verdict.gate)) for verdict in verdicts]


def apply_waiver(verdict: Verdict, waiver: Waiver | None) -> Verdict:
    """The verdict by the waiver's bound, if there is a waiver and the gate has failed."""
    if waiver is None or verdict.status != "fail" or verdict.figure is None:
        return verdict
    if verdict.bound.startswith(SHOWN):
        second = shown(verdict.gate, verdict.figure, waiver.bound, 0.0, verdict.remedy)
    elif verdict.bound.startswith("at least"):
        second = at_least(verdict.gate, verdict.figure, waiver.bound, verdict.remedy)
    else:
        second = at_most(verdict.gate, verdict.figure, waiver.bound, verdict.remedy, verdict.unit)
    status: Status = "fail" if second.status == "fail" else "waived"
    return structs.replace(second, status=status, waiver=waiver.reason)
