"""The user classes: how many users of each there are, how often each asks, and for how many rows.

Owns the offered load. Leaves what must come of it to `loadtests/slo.yaml`, and sending to `loadtests.locustfile`.

A user asks at a fixed pace, so the load is what is offered and not as much as the service takes; a late answer delays
the next request of that user only. The paces are those at which 50 users take a quarter of one core of a load
generator that shares two cores with the service.
"""

from msgspec import Struct


class UserClass(Struct, frozen=True, kw_only=True):
    """One kind of client.

    Attributes:
        weight: its part of the users, beside the weights of the others.
        pace_per_s: requests that one user sends per second.
        rows: applicants per request.
        protocol: label of `scorer_predictions_total` that counts its rows; empty if they are not predictions.
    """

    weight: int
    pace_per_s: float
    rows: int
    protocol: str


CLASSES = {
    "single": UserClass(weight=4, pace_per_s=10, rows=1, protocol="http"),
    "batch": UserClass(weight=1, pace_per_s=2, rows=64, protocol="http"),
    "v2": UserClass(weight=2, pace_per_s=10, rows=1, protocol="v2"),
    "grpc": UserClass(weight=2, pace_per_s=10, rows=1, protocol="grpc"),
    "explain": UserClass(weight=1, pace_per_s=1, rows=1, protocol=""),
}
