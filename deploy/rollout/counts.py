"""What an instance has done so far, from HAProxy's counters and from its own `/metrics`, and since a moment.

Owns: the names of the metrics. Leaves to others: what the numbers mean (judge).
"""

from collections import Counter
from http.client import HTTPException
from typing import Self

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from deploy.rollout.gate import ask
from deploy.rollout.proportions import Proportion
from deploy.rollout.runtime import Server

METRICS_S = 1.0  # of a canary that is judged twice a second
APPROVE = "approve"
DECISIONS = "scorer_predictions_total"
GROUPS = "scorer_group_decisions_total"
SQUARES = "scorer_request_rows_squared_total"
REJECTED = "scorer_rejected_total"
# The reasons that are not the caller's. A slow upload is a `timeout` too, but seldom: HAProxy waits for bodies itself.
FAULTS = {"internal_error", "unavailable", "timeout"}

Group = tuple[str, str]  # column of the audit, and name of the group


class Own(Struct, frozen=True, kw_only=True):
    """What an instance counts itself, over all protocols.

    Attributes:
        failures, refusals: requests that it did not answer, by its own fault, and by the caller's.
        decisions: applicants by decision.
        groups: of the audited groups, applicants by decision.
        rows_squared: sum over the requests of their applicants, squared.
    """

    failures: int = 0
    refusals: int = 0
    decisions: dict[str, int] = {}
    groups: dict[Group, dict[str, int]] = {}
    rows_squared: int = 0

    def since(self, before: Self) -> "Own":
        """The counts of the time since `before`."""
        return Own(
            failures=_grown(self.failures, before.failures),
            refusals=_grown(self.refusals, before.refusals),
            decisions=_difference(self.decisions, before.decisions),
            groups={name: _difference(found, before.groups.get(name, {})) for name, found in self.groups.items()},
            rows_squared=_grown(self.rows_squared, before.rows_squared),
        )


class Counts(Struct, frozen=True, kw_only=True):
    """Requests by HAProxy, decisions by the instance; `since` gives those of a period.

    Attributes:
        requests, answered, refused, failures, http_ended: as of `runtime.Server`.
        in_flight, response_ms, is_up: of this moment.
        own: as the instance counts; None where it did not give its metrics. In gRPC HAProxy sees no status.
    """

    requests: int = 0
    answered: int = 0
    refused: int = 0
    failures: int = 0
    http_ended: int = 0
    in_flight: int = 0
    response_ms: int = 0
    is_up: bool = True
    own: Own | None = None

    def since(self, before: Self) -> "Counts":
        """The counts of the time since `before`; a counter that fell began anew."""
        return Counts(
            requests=_grown(self.requests, before.requests),
            answered=_grown(self.answered, before.answered),
            refused=_grown(self.refused, before.refused),
            failures=_grown(self.failures, before.failures),
            http_ended=_grown(self.http_ended, before.http_ended),
            in_flight=self.in_flight,
            response_ms=self.response_ms,
            is_up=self.is_up,
            own=self.own.since(before.own) if self.own and before.own else None,
        )

    @property
    def all_failures(self) -> int:
        """The failing requests, by whoever counted more of them."""
        return min(max(self.failures, self.own.failures if self.own else 0), self.requests)

    @property
    def failed(self) -> Proportion:
        """The failing requests among all."""
        return Proportion(self.all_failures, self.requests)

    @property
    def refusals(self) -> Proportion:
        """The refused requests among the answered, by whoever counted more of them."""
        return Proportion(min(max(self.refused, self.own.refusals if self.own else 0), self.answered), self.answered)

    @property
    def approved(self) -> Proportion:
        """The approved applicants."""
        return approved(self.own.decisions) if self.own else Proportion(0, 0)

    def groups_of(self, column: str) -> dict[str, Proportion]:
        """The approved applicants of each group of a column, as they are judged."""
        groups = self.own.groups if self.own else {}
        return {name: self.independent(approved(found)) for (other, name), found in groups.items() if other == column}

    @property
    def columns(self) -> list[str]:
        """The columns of the audited groups."""
        return sorted({column for column, _ in (self.own.groups if self.own else {})})

    def independent(self, proportion: Proportion) -> Proportion:
        """A proportion of the applicants as it is judged: as of so many independent ones.

        The applicants of one request may be alike, a portfolio for one; taken for independent, one request of 256 would
        condemn a canary. So many count as requests of the same size would have: the rows, squared, over the sum of the
        squared rows of the requests (Kish, 1965).

        >>> own = Own(decisions={"approve": 60, "decline": 20}, rows_squared=8 * 10**2)
        >>> Counts(own=own).independent(Proportion(15, 20))
        Proportion(hits=2, of=2)
        """
        rows = sum(self.own.decisions.values()) if self.own else 0
        share = min(1.0, rows / self.own.rows_squared) if self.own and self.own.rows_squared else 1.0
        return Proportion(round(proportion.hits * share), round(proportion.of * share))


def approved(decisions: dict[str, int]) -> Proportion:
    """The approved applicants among the decided.

    >>> approved({"approve": 3, "decline": 1})
    Proportion(hits=3, of=4)
    """
    return Proportion(decisions.get(APPROVE, 0), sum(decisions.values()))


def take(server: Server, port: int) -> Counts:
    """The counts of an instance now."""
    try:
        status, body = ask(port, "/metrics", timeout_s=METRICS_S)
        own = read_metrics(body.decode()) if status == 200 else None
    except (OSError, HTTPException, ValueError):
        own = None
    return Counts(
        requests=server.requests,
        answered=server.answered,
        refused=server.refused,
        failures=server.failures,
        http_ended=server.http_ended,
        in_flight=server.in_flight,
        response_ms=server.response_ms,
        is_up=server.is_up,
        own=own,
    )


def read_metrics(text: str) -> Own:
    r"""What an instance counts, in the text format of Prometheus.

    >>> read_metrics('# TYPE scorer_predictions counter\nscorer_predictions_total{decision="approve"} 3.0\n').decisions
    {'approve': 3}
    """
    decisions: Counter[str] = Counter()
    groups: dict[Group, Counter[str]] = {}
    failures = refusals = squares = 0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels, number = sample.labels, int(sample.value)
            if sample.name == DECISIONS:
                decisions[labels["decision"]] += number
            elif sample.name == GROUPS:
                groups.setdefault((labels["column"], labels["group"]), Counter())[labels["decision"]] += number
            elif sample.name == SQUARES:
                squares += number
            elif sample.name == REJECTED and labels["reason"] in FAULTS:
                failures += number
            elif sample.name == REJECTED:
                refusals += number
    return Own(
        failures=failures,
        refusals=refusals,
        decisions=dict(decisions),
        groups={name: dict(found) for name, found in groups.items()},
        rows_squared=squares,
    )


def _grown(now: int, before: int) -> int:
    return now - before if now >= before else now


def _difference(now: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    return {name: _grown(number, before.get(name, 0)) for name, number in now.items()}
