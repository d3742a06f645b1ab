"""What is deployed, for people and programs. Reads only, so it needs no lock and may be asked during a rollout."""

from msgspec import Struct

from deploy.rollout.deployment import Deployment
from deploy.rollout.runtime import Server
from deploy.rollout.state import SLOTS, Operation, Outcome


class InstanceStatus(Struct, frozen=True, kw_only=True):
    """One instance; the counters are HAProxy's, of HTTP, since it was started or reloaded."""

    name: str
    version: str
    role: str
    slot: str
    running: bool
    health: str
    weight: int
    requests: int
    failures: int
    in_flight: int
    response_ms: int
    port: int
    grpc_port: int
    pid: int


class Status(Struct, frozen=True, kw_only=True):
    """A deployment; `problem` says what is wrong, with the remedy, and is empty if nothing is."""

    directory: str
    haproxy_running: bool
    port: int
    grpc_port: int
    stable: str
    previous: str
    instances: list[InstanceStatus]
    operation: Operation | None
    history: tuple[Outcome, ...]
    problem: str


def inspect(deployment: Deployment, at_work: bool) -> Status:
    """The status now; `at_work` if another command holds the lock."""
    state = deployment.state
    runtime = deployment.haproxy.runtime
    running = bool(state.port) and runtime.is_running
    servers = runtime.servers() if running else {}
    instances = [_instance(deployment, slot, servers.get(slot)) for slot in SLOTS if state.in_slot(slot)]
    return Status(
        directory=str(deployment.directory),
        haproxy_running=running,
        port=state.port,
        grpc_port=state.grpc_port,
        stable=state.instances[state.stable].version if state.stable else "",
        previous=state.previous,
        instances=instances,
        operation=state.operation,
        history=state.history,
        problem=_problem(deployment, running, instances, at_work),
    )


def _instance(deployment: Deployment, slot: str, server: Server | None) -> InstanceStatus:
    instance = deployment.state.in_slot(slot)
    if instance is None:
        raise LookupError(slot)
    return InstanceStatus(
        name=instance.name,
        version=instance.version,
        role="stable" if instance.name == deployment.state.stable else "new",
        slot=slot,
        running=deployment.instances.is_running(instance),
        health=server.status if server else "unknown",
        weight=server.weight if server else deployment.state.weights.get(slot, 0),
        requests=server.requests if server else 0,
        failures=server.failures if server else 0,
        in_flight=server.in_flight if server else 0,
        response_ms=server.response_ms if server else 0,
        port=instance.port,
        grpc_port=instance.grpc_port,
        pid=instance.pid,
    )


def _problem(deployment: Deployment, running: bool, instances: list[InstanceStatus], at_work: bool) -> str:
    operation = deployment.state.operation
    if operation is not None and not at_work:
        more = "; canary --resume goes on" if operation.command == "canary" and operation.phase == "shifting" else ""
        return f"`{operation.command}` was interrupted; the next command finishes or undoes it, as rollback{more}"
    if not deployment.state.is_up:
        return "" if at_work else "nothing is deployed; start with: python -m deploy up VERSION"
    if not running:
        return "HAProxy is not running; start it with: python -m deploy up"
    for instance in instances:
        if not instance.running:
            return f"{instance.name} is not running; start it with: python -m deploy up"
        if not instance.health.startswith("UP") and instance.role == "stable":
            log = deployment.instances.folder_of(instance.name) / "serve.log"
            again = f"a new instance: python -m deploy switch {instance.version}"
            return f"{instance.name} is {instance.health}: read {log}; for {again}"
    return ""


def table(status: Status) -> str:
    """The status for people."""
    lines = []
    if status.port:
        grpc = f", gRPC on port {status.grpc_port}" if status.grpc_port else ""
        state = "runs" if status.haproxy_running else "does NOT run"
        lines.append(f"HAProxy {state}: HTTP on port {status.port}{grpc}; files in {status.directory}")
    heads = ("instance", "role", "slot", "health", "weight", "requests", "failures", "in flight", "ms", "port", "pid")
    rows = [heads] + [
        (
            one.name,
            one.role,
            one.slot,
            one.health if one.running else "not running",
            *(f"{number:,}" for number in (one.weight, one.requests, one.failures, one.in_flight, one.response_ms)),
            str(one.port),
            str(one.pid),
        )
        for one in status.instances
    ]
    if status.instances:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
    if status.operation:
        lines.append(
            f"in progress: {status.operation.command}, {status.operation.phase}, at {status.operation.percent}%"
        )
    for outcome in status.history[-5:]:
        why = f": {outcome.why}" if outcome.why else ""
        lines.append(f"{outcome.at}  {outcome.command} {outcome.version} {outcome.result}{why}")
    return "\n".join(lines)
