"""Finishes or undoes what an interrupted command had begun; every command that changes something begins with it.

The states and what becomes of each are listed in state. Nothing here depends on how far the interrupted command got
within a step: each move may be made twice.
"""

import msgspec

from deploy.rollout.deployment import Deployment
from deploy.rollout.state import State


def settle(deployment: Deployment) -> bool:
    """Bring a deployment to rest; return whether a rollout was rolled back."""
    for name in deployment.instances.strays(set(deployment.state.instances)):
        deployment.say(f"stopping {name}, which no longer belongs to this deployment")
        deployment.instances.stop(name, deployment.config.stop_s)
    operation = deployment.state.operation
    if operation is None:
        return False
    words = f"`{operation.command}` of {operation.new or 'everything'} was interrupted"
    if operation.command == "down" or (operation.command == "up" and operation.phase == "starting"):
        deployment.say(f"{words}: stopping what is left of it")
        take_down(deployment)
        return False
    if operation.phase == "promoted":
        deployment.say(f"{words} after it had replaced {operation.old or 'nothing'}: finishing it")
        deployment.finish()
        return False
    if operation.phase == "starting":
        deployment.say(f"{words} before it got a request: stopping it")
        deployment.abandon("interrupted")
        return False
    deployment.say(f"{words} at {operation.percent}%: rolling back")
    deployment.give_back(operation.why or "interrupted")
    return True


def take_down(deployment: Deployment) -> None:
    """Stop HAProxy and every instance; what stays are logs, records and the history."""
    state = deployment.state
    version = state.instances[state.stable].version if state.stable else ""
    deployment.haproxy.stop()
    for name in state.instances:
        deployment.instances.stop(name, deployment.config.stop_s)
    empty = State(number=state.number, history=state.history)
    if operation := state.operation:
        empty = empty.ended(operation.command, "done" if operation.command == "down" else "undone", version)
    deployment.save(**msgspec.structs.asdict(empty))
