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
REQUESTS = "bentoml_service_request_total"  # of POST /predict alone
REJECTED = "scorer_rejected_total"  # of every route, and of gRPC
FAULTS = {"internal", "unavailable", "timeout"}  # the reasons that are not the caller's

Group = tuple[str, str]  # column of the audit, and name of the group


class Counts(Struct, frozen=True, kw_only=True):
    """Requests by HAProxy, decisions by the instance; `since` gives those of a period.

    Attributes:
        requests, answered, refused, failures: as of `runtime.Server`.
        own_failures: as the instance counts them; in gRPC HAProxy sees no status.
        in_flight, response_ms, is_up: of this moment.
        decisions: applicants by decision.
        groups: of the audited groups, applicants by decision.
        metrics_read: whether the instance gave its metrics.
    """

    requests: int = 0
    answered: int = 0
    refused: int = 0
    failures: int = 0
    own_failures: int = 0
    in_flight: int = 0
    response_ms: int = 0
    is_up: bool = True
    decisions: dict[str, int] = {}
    groups: dict[Group, dict[str, int]] = {}
    metrics_read: bool = True

    def since(self, before: Self) -> "Counts":
        """The counts of the time since `before`; a counter that fell began anew."""
        metrics_read = self.metrics_read and before.metrics_read
        return Counts(
            requests=_grown(self.requests, before.requests),
            answered=_grown(self.answered, before.answered),
            refused=_grown(self.refused, before.refused),
            failures=_grown(self.failures, before.failures),
            own_failures=_grown(self.own_failures, before.own_failures) if metrics_read else 0,
            in_flight=self.in_flight,
            response_ms=self.response_ms,
            is_up=self.is_up,
            decisions=_difference(self.decisions, before.decisions) if metrics_read else {},
            groups={name: _difference(found, before.groups.get(name, {})) for name, found in self.groups.items()}
            if metrics_read
            else {},
            metrics_read=metrics_read,
        )

    @property
    def failed(self) -> Proportion:
        """The failing requests among all, by whoever counted more of them."""
        return Proportion(min(max(self.failures, self.own_failures), self.requests), self.requests)

    @property
    def refusals(self) -> Proportion:
        """The refused requests among the answered."""
        return Proportion(self.refused, self.answered)

    @property
    def approved(self) -> Proportion:
        """The approved applicants."""
        return approved(self.decisions)

    def independent(self, proportion: Proportion) -> Proportion:
        """A proportion of the applicants as it is judged: so many observations as there were requests for them.

        The applicants of one request may be alike, a portfolio for one; taken for independent, one request of 256 would
        condemn a canary.

        >>> Counts(requests=8, decisions={"approve": 60, "decline": 20}).independent(Proportion(15, 20))
        Proportion(hits=2, of=2)
        """
        rows = sum(self.decisions.values())
        share = min(1.0, self.requests / rows) if rows else 1.0
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
        text = body.decode() if status == 200 else None
        decisions, groups, own_failures = read_metrics(text or "")
    except (OSError, HTTPException, ValueError):
        text, decisions, groups, own_failures = None, {}, {}, 0
    return Counts(
        requests=server.requests,
        answered=server.answered,
        refused=server.refused,
        failures=server.failures,
        own_failures=own_failures,
        in_flight=server.in_flight,
        response_ms=server.response_ms,
        is_up=server.is_up,
        decisions=decisions,
        groups=groups,
        metrics_read=text is not None,
    )


def read_metrics(text: str) -> tuple[dict[str, int], dict[Group, dict[str, int]], int]:
    r"""Decisions, decisions by group, and failed requests, in the text format of Prometheus.

    >>> read_metrics('# TYPE scorer_predictions counter\nscorer_predictions_total{decision="approve"} 3.0\n')
    ({'approve': 3}, {}, 0)
    """
    decisions: Counter[str] = Counter()
    groups: dict[Group, Counter[str]] = {}
    predict = everywhere = 0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels, number = sample.labels, int(sample.value)
            if sample.name == DECISIONS:
                decisions[labels["decision"]] += number
            elif sample.name == GROUPS:
                groups.setdefault((labels["column"], labels["group"]), Counter())[labels["decision"]] += number
            elif sample.name == REQUESTS and labels["http_response_code"].startswith("5"):
                predict += number
            elif sample.name == REJECTED and labels["reason"] in FAULTS:
                everywhere += number
    return dict(decisions), {name: dict(found) for name, found in groups.items()}, max(predict, everywhere)


def _grown(now: int, before: int) -> int:
    return now - before if now >= before else now


def _difference(now: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    return {name: _grown(number, before.get(name, 0)) for name, number in now.items()}
