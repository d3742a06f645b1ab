"""The commands that change a deployment: up, switch, canary, rollback, down. Each is called with the lock held.

Owns: the order of moves of each command. Leaves to others: the moves (deployment), what is left over (recovery), words
and exit codes (`deploy/__main__.py`).
"""

import os
import time
from typing import Literal

import msgspec
from msgspec import Struct

from deploy.rollout import bentos
from deploy.rollout.canary import Step, Watch, budget_line, run_steps, totals
from deploy.rollout.deployment import UP_S, Deployment
from deploy.rollout.errors import Breach, InstanceError, RolloutError
from deploy.rollout.haproxy import check_port
from deploy.rollout.recovery import settle, take_down
from deploy.rollout.state import Operation


class Result(Struct, frozen=True, kw_only=True):
    """How a command ended.

    Attributes:
        version: that serves now.
        why: of a rollback.
        steps: that a canary kept.
        decided_s: of a canary that was rolled back, from its first request to the verdict.
        over_s: from its first request until it was stopped.
    """

    command: str
    result: Literal["done", "rolled back"]
    version: str
    why: str = ""
    steps: tuple[Step, ...] = ()
    decided_s: float | None = None
    over_s: float | None = None


def up(deployment: Deployment, version: str | None, port: int, grpc_port: int) -> Result:
    """Start HAProxy and the first instance; in a deployment that is there, whatever of it is not running.

    A HAProxy that runs is reloaded: it reads its file anew, and no request is lost.
    """
    deployment.haproxy.check()
    operation = deployment.state.operation
    if deployment.state.is_up and not (operation and operation.command == "down"):
        _revive(deployment)
    settle(deployment)
    if deployment.state.is_up:
        return _up_again(deployment, version, port, grpc_port)
    if version is None:
        raise RolloutError("nothing is deployed yet; say which version: python -m deploy up VERSION")
    version = resolve(deployment, version)
    for one in filter(None, (port, grpc_port)):
        check_port(deployment.config.host, one)
    deployment.save(port=port, grpc_port=grpc_port)
    try:
        deployment.begin("up", version)
        deployment.promote()
    except (RolloutError, OSError, KeyboardInterrupt):
        take_down(deployment)
        raise
    return Result(command="up", result="done", version=version)


def _up_again(deployment: Deployment, version: str | None, port: int, grpc_port: int) -> Result:
    state, stable = deployment.state, deployment.stable
    if version is not None and (wanted := resolve(deployment, version)) != stable.version:
        raise RolloutError(
            f"{stable.version} is deployed already; to replace it: python -m deploy switch {wanted}, or canary {wanted}"
        )
    if (port, grpc_port) != (state.port, state.grpc_port):
        # Where HAProxy does not run, its port may have been taken, and nobody is served at the old one.
        if deployment.haproxy.runtime.is_running or bool(grpc_port) != bool(state.grpc_port):
            ports = f"{state.port} and {state.grpc_port}"
            raise RolloutError(f"the ports are {ports}; to change them, run: python -m deploy down, then up VERSION")
        for one in filter(None, (port, grpc_port)):
            check_port(deployment.config.host, one)
        deployment.save(port=port, grpc_port=grpc_port)
    deployment.haproxy.start(deployment.state)
    return Result(command="up", result="done", version=stable.version)


def _revive(deployment: Deployment) -> None:
    """Start the stable instance again if it is not running, and let HAProxy find it."""
    stable = deployment.stable
    if deployment.instances.is_running(stable):
        return
    deployment.say(f"{stable.name} is not running: starting it again")
    try:
        deployment.bring_up(stable)
    except InstanceError:
        deployment.instances.stop(stable.name, deployment.config.stop_s)
        raise
    if deployment.haproxy.runtime.is_running:
        deployment.haproxy.runtime.wait_until_up(stable.slot, UP_S)


def switch(deployment: Deployment, version: str, command: str = "switch") -> Result:
    """Blue-green: a new instance, all requests to it at once, then the old one drained and stopped.

    The version that serves may be named again, which restarts it.
    """
    settle(deployment)
    deployment.require_running()
    version = resolve(deployment, version)
    instance = deployment.begin(command, version)
    _attach(deployment, instance.name)
    deployment.promote()
    return Result(command=command, result="done", version=version)


def canary(deployment: Deployment, version: str | None, resume: bool = False) -> Result:
    """A new instance that gets more requests step by step, and none when it breaks an objective."""
    if resume:
        _require_canary(deployment, version)
    elif version is None:
        raise RolloutError("say which version: python -m deploy canary VERSION")
    else:
        settle(deployment)
    deployment.require_running()
    if version is not None and not resume:
        version = resolve(deployment, version)
        if version == deployment.stable.version:
            again = f"to restart it: python -m deploy switch {version}"
            raise RolloutError(f"{version} is the version that serves already; name another, or, {again}")
        instance = deployment.begin("canary", version)
        _attach(deployment, instance.name)
    deployment.say(budget_line(deployment))
    steps: list[Step] = []
    began_s = time.monotonic()
    new = deployment.state.instances[deployment.operation.new]
    try:
        watch = Watch(deployment, new, deployment.stable)
        if not resume:
            deployment.shift(deployment.config.canary.steps[0], began=totals(deployment, new))
        for step in run_steps(deployment, watch):
            steps.append(step)  # noqa: PERF402 - kept as far as it gets
        deployment.commit()
    except (Breach, KeyboardInterrupt, RolloutError, OSError) as fault:
        why, decided_s = str(fault) or "interrupted", time.monotonic() - began_s
        deployment.say(f"{new.name} at {deployment.operation.percent}%: {why}: rolling back")
        deployment.give_back(why)
        if isinstance(fault, RolloutError | OSError):
            raise
        return Result(
            command="canary",
            result="rolled back",
            version=deployment.stable.version,
            why=why,
            steps=tuple(steps),
            decided_s=round(decided_s, 2),
            over_s=round(time.monotonic() - began_s, 2),
        )
    deployment.finish()
    return Result(command="canary", result="done", version=new.version, steps=tuple(steps))


def rollback(deployment: Deployment) -> Result:
    """Back from an interrupted canary, else to the version before the one that serves."""
    if settle(deployment):
        return Result(command="rollback", result="done", version=deployment.stable.version, why="interrupted")
    previous, now = deployment.state.previous, deployment.stable.version
    if not previous:
        raise RolloutError(f"there is no version before {now}; choose one with: python -m deploy switch VERSION")
    return switch(deployment, previous, command="rollback")


def down(deployment: Deployment) -> Result:
    """Stop HAProxy, then the instances; logs and records stay."""
    version = "" if deployment.state.operation and not deployment.state.is_up else deployment.stable.version
    deployment.save(operation=Operation(command="down", phase="stopping"))
    take_down(deployment)
    return Result(command="down", result="done", version=version)


def resolve(deployment: Deployment, version: str) -> str:
    """The version that is meant, if it is there."""
    config = deployment.config
    if not config.starts_bentos:
        return version
    return bentos.resolve(bentos.store(os.environ), config.bento, version)


def _attach(deployment: Deployment, name: str) -> None:
    """Let HAProxy know the new instance; where that fails, nothing of it is left."""
    try:
        deployment.attach(deployment.state.instances[name])
    except (RolloutError, OSError, KeyboardInterrupt) as error:
        if deployment.haproxy.runtime.is_running:
            deployment.haproxy.runtime.detach(deployment.state.instances[name].slot)
        deployment.abandon(str(error) or "interrupted")
        raise


def _require_canary(deployment: Deployment, version: str | None) -> None:
    operation = deployment.state.operation
    if operation is None or operation.command != "canary" or operation.phase != "shifting":
        raise RolloutError("there is no interrupted canary to resume; start one with: python -m deploy canary VERSION")
    new = deployment.state.instances[operation.new]
    if version is not None and version.rpartition(":")[2] != new.version:
        raise RolloutError(
            f"the interrupted canary is one of {new.version}; resume it with: python -m deploy canary --resume"
        )
    if not deployment.instances.is_running(new):
        deployment.say(f"{new.name} is not running any more")


def as_json(result: Result) -> bytes:
    """A result as one JSON document."""
    return msgspec.json.encode(result)
