"""Compares the service with its references in one run: `python -m benchmarks.serving [tag] [--quick]`.

Starts the service as `make serve` does, with validation, decision log and profiling, and each reference in
`benchmarks/references/`; compares their responses for the same applicants; then puts load on one at a time, in turns.
Prints three tables in Markdown, writes var/benchmarks/serving.json, and exits with 1 if a bound is missed. Client and
servers share the machine, so the ratios count and not the absolute numbers.
"""

import argparse
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import grpc
import msgspec
from msgspec.structs import replace

from benchmarks import contenders, grpc_load, memory
from benchmarks.applicants import bodies, draw
from benchmarks.contenders import CONSTANT, HTTP, MLSERVER, OURS, SYNCED, TWO, find, settle
from benchmarks.figures import CONNECTIONS, ROWS, ROWS_CONNECTIONS, Figures, Plan
from benchmarks.generator import Generator
from benchmarks.measurement import Load, Measured
from benchmarks.rounds import Compared, take_turns
from benchmarks.server import PREDICT, ROOT
from benchmarks.verdict import bounds_table, servers_table, shares_table
from models.artifact import Artifact

SAME = 1e-6  # largest difference allowed between two servers' probabilities
COMPARED = 16  # applicants whose probabilities are compared
LEAD_S = 0.4  # for a reference: connects, and lets its buffers grow
OUR_LEAD_S = 1.5  # for the service: includes the profiler, which runs every second


FULL, QUICK = Plan(rounds=3, seconds=1.5, requests=100_000), Plan(rounds=1, seconds=0.7, requests=10_000)


class Comparison:
    """All servers, started and compared, and the two load generators."""

    def __init__(self, artifact: Artifact, home: Path, plan: Plan, stack: ExitStack) -> None:
        self.artifact, self.plan = artifact, plan
        applicants = draw(artifact.schema.dataset)
        self._bodies = {}
        for rows in (1, ROWS):
            self._bodies[rows] = home / f"bodies{rows}"
            self._bodies[rows].write_bytes(b"\n".join(bodies(applicants, rows)))
        started = contenders.start(artifact, home)
        self.servers = {server.name: stack.enter_context(server) for server in started}
        first = bodies(applicants[:1], 1)[0]
        for server in self.servers.values():
            server.wait(first)
        self.grpc = self._agree(applicants[:COMPARED])
        self._http = stack.enter_context(Generator("benchmarks.load", ROOT))
        self._rpc = stack.enter_context(Generator("benchmarks.grpc_load", ROOT))

    def _agree(self, applicants: list[dict[str, object]]) -> bool:
        """Compare every server's probabilities with the service's; return whether the service serves gRPC."""
        sent = bodies(applicants, 1)
        truth = [self.servers[OURS].predict(body)[0] for body in sent]
        answers = {
            name: [self.servers[name].predict(body)[0] for body in sent]
            for name in (TWO, *SYNCED, *HTTP)
            if name != CONSTANT
        }
        messages = [grpc_load.message(self.artifact.manifest.name, applicant) for applicant in applicants]
        answers[MLSERVER] = [grpc_load.ask(self.servers[MLSERVER].grpc_port, message) for message in messages]
        try:
            name = f"{OURS}, gRPC"
            answers[name] = [grpc_load.ask(self.servers[OURS].grpc_port, message) for message in messages]
        except grpc.RpcError as error:
            print(f"the service does not serve gRPC: {error.code().name}", file=sys.stderr)
        for name, probabilities in answers.items():
            worst = max(abs(one - other) for one, other in zip(truth, probabilities, strict=True))
            if worst > SAME:
                sys.exit(f"{name} and {OURS} return different probabilities: {worst:g} apart")
        return f"{OURS}, gRPC" in answers

    def measure(self, name: str, connections: int, rows: int = 1, rpc: bool = False) -> Measured:
        """Measure one server under one load; afterwards wait until its profiler has caught up."""
        server = self.servers[name]
        ours = name in (OURS, TWO, *SYNCED)
        load = Load(
            port=server.grpc_port if rpc else server.port,
            bodies=str(self._bodies[rows]),
            path=self.artifact.manifest.name if rpc else PREDICT,
            connections=connections,
            lead_s=OUR_LEAD_S if ours else LEAD_S,
            seconds=self.plan.seconds,
        )
        before_s = server.cpu_s()
        measured = (self._rpc if rpc else self._http).measure(name, load)
        if ours:
            settle(server)  # profiling is a part of the work
        return replace(measured, cpu_us=(server.cpu_s() - before_s) / max(1, measured.responses) * 1e6)

    def turns(self, others: tuple[str, ...], connections: int, rows: int = 1, rpc: bool = False) -> dict[str, Compared]:
        """Measure the service and `others` in turns."""
        print(f"{rows} rows per request, {connections} connections: {', '.join((OURS, *others))}", file=sys.stderr)
        measure = partial(self.measure, connections=connections, rows=rows, rpc=rpc)
        return take_turns(OURS, others, measure, self.plan.rounds)

    def remember(self) -> memory.Memory:
        """Measure the memory of the service's worker."""
        print(f"{self.plan.requests:,} requests for memory", file=sys.stderr)
        server = self.servers[OURS]
        load = Load(
            port=server.port, bodies=str(self._bodies[1]), connections=CONNECTIONS, lead_s=0, seconds=memory.SLICE_S
        )
        return memory.measure(server, self._http, load, self.plan.requests)


def compare(artifact: Artifact, plan: Plan) -> Figures:
    """Start, measure and stop all servers."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        comparison = Comparison(artifact, Path(folder), plan, stack)
        return Figures(
            model=artifact.tag,
            cores=len(os.sched_getaffinity(0)),
            plan=plan,
            many=comparison.turns(HTTP, CONNECTIONS),
            one=comparison.turns(HTTP, 1),
            table=comparison.turns((), ROWS_CONNECTIONS, ROWS)[OURS],
            workers=comparison.turns((TWO,), CONNECTIONS),
            synced=comparison.turns(tuple(SYNCED), CONNECTIONS),
            synced_one=comparison.turns(tuple(SYNCED), 1),
            rpc=comparison.turns((MLSERVER,), CONNECTIONS, rpc=True) if comparison.grpc else {},
            memory=comparison.remember(),
        )


def main() -> None:
    """Run the comparison, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tag", nargs="?", help="of the model in the BentoML store (default: the champion)")
    parser.add_argument("--quick", action="store_true", help="one short round, to check that everything works")
    parser.add_argument("--output", type=Path, default=Path("var/benchmarks/serving.json"))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM stops the servers too
    figures = compare(find(options.tag), QUICK if options.quick else FULL)
    bounds = figures.bounds()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    verdicts = {bound.what: bound.verdict for bound in bounds}
    document = {"figures": figures, "bounds": bounds, "verdicts": verdicts}
    options.output.write_bytes(msgspec.json.format(msgspec.json.encode(document)))
    print(f"{figures.model}, {figures.cores} cores shared with the client, {figures.plan.rounds} rounds\n")
    print(servers_table(figures.one, figures.many, CONNECTIONS), end="\n\n")
    print(bounds_table(bounds), end="\n\n")
    print("What it costs to sync the decision log (`sync` in configs/monitoring.yaml) on the disk of this machine\n")
    print(shares_table(OURS, figures.synced_one, figures.synced, CONNECTIONS))
    for name in figures.limited():
        print(f"\nThe client was near its limit with {name}, which may be faster than shown here.")
    sys.exit(any(bound.verdict == "MISSED" for bound in bounds))


if __name__ == "__main__":
    main()
