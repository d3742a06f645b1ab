"""All figures of a comparison, and their bounds, which are defined only here.

Leaves measuring to `benchmarks.serving`, verdicts and layout to `benchmarks.verdict`.
"""

from msgspec import Struct

from benchmarks.contenders import ASGI, BENTOML, CONSTANT, FASTAPI, MLSERVER, MOSEC, OURS, TWO
from benchmarks.memory import Memory
from benchmarks.rounds import Compared
from benchmarks.verdict import Bound

CONNECTIONS, ROWS, ROWS_CONNECTIONS = 64, 256, 8
CORES = 3  # needed by two workers and the client
BUSY = 0.9  # share of a core from which the client may be the bottleneck


class Plan(Struct, frozen=True, kw_only=True):
    """How long to measure: rounds, seconds per round, and requests between the two readings of memory."""

    rounds: int
    seconds: float
    requests: int


class Figures(Struct, frozen=True, kw_only=True):
    """Everything measured."""

    model: str
    cores: int
    plan: Plan
    many: dict[str, Compared]
    one: dict[str, Compared]
    table: Compared
    workers: dict[str, Compared]
    synced: dict[str, Compared]  # with each `sync` of the log, at 64 connections
    synced_one: dict[str, Compared]
    rpc: dict[str, Compared]  # empty if the service does not serve gRPC
    memory: Memory

    def limited(self) -> list[str]:
        """The servers for which the client may be the bottleneck."""
        groups = (self.many, self.one, self.workers, self.synced, self.synced_one, self.rpc)
        return sorted({name for group in groups for name, compared in group.items() if compared.busy > BUSY})

    def bounds(self) -> list[Bound]:
        """The bounds that the service must meet."""
        ours, alone = self.many[OURS], self.one[OURS]
        at = f"requests/s, {CONNECTIONS} connections, against"
        short = "" if self.cores >= CORES else f"client and two workers share {self.cores} cores"
        return [
            Bound(what=f"{at} {BENTOML}", value=self.many[BENTOML].ratio, least=20, aim=35),
            Bound(what=f"{at} {FASTAPI}", value=self.many[FASTAPI].ratio, least=7, aim=10),
            Bound(what=f"{at} {MOSEC}", value=self.many[MOSEC].ratio, least=0.9, aim=1.3),
            Bound(
                what=f"processor time per request, {CONNECTIONS} connections, against {MOSEC}",
                value=ours.cpu_us / self.many[MOSEC].cpu_us,
                least=1.4,
                aim=0.95,
                at_most=True,
            ),
            Bound(what=f"{at} {ASGI}", value=self.many[ASGI].ratio, least=3, aim=4),
            Bound(what=f"{at} {CONSTANT}", value=self.many[CONSTANT].ratio, least=0.5, aim=1),
            Bound(what=f"requests/s, 1 connection, against {MOSEC}", value=self.one[MOSEC].ratio, least=8),
            Bound(what=f"requests/s, 1 connection, against {ASGI}", value=self.one[ASGI].ratio, least=0.75, aim=1),
            Bound(
                what=f"p99 against p50, {CONNECTIONS} connections",
                value=ours.p99_ms / ours.p50_ms,
                least=3,
                at_most=True,
            ),
            Bound(what="p99, 1 connection", value=alone.p99_ms, least=1.5, at_most=True, unit=" ms"),
            Bound(
                what=f"rows/s, {ROWS} rows per request, {ROWS_CONNECTIONS} connections",
                value=self.table.per_second * ROWS,
                least=100_000,
                aim=250_000,
                unit="",
            ),
            Bound(
                what=f"gRPC, one row per call, {CONNECTIONS} in flight, calls/s against {MLSERVER}",
                value=self.rpc[MLSERVER].ratio if self.rpc else None,
                least=4,
                aim=6,
            ),
            Bound(what="two workers against one", value=1 / self.workers[TWO].ratio, least=1.7, unjudged=short),
            *self.memory.bounds(),
        ]
