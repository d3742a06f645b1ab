"""One deployment and the moves that every rollout is made of: begin, shift, promote, give back, retire.

Owns: the order of saving a step, HAProxy's file and its runtime, so that a kill between any two is repaired by the next
command (recovery). Leaves to others: which move comes next (rollout, canary).
"""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from configs.rollout import RolloutConfig
from deploy.rollout import gate
from deploy.rollout.errors import HAProxyNotRunningError, InstanceError, RolloutError
from deploy.rollout.haproxy import HAProxy, free_ports
from deploy.rollout.instances import Instances
from deploy.rollout.state import Instance, Operation, State, StateFile

UP_S = 10.0  # HAProxy checks twice a second
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def weights_of(percent: int) -> tuple[int, int]:
    """HAProxy's weights of the new and the stable instance, when the new one gets so many percent.

    At 100% the stable one keeps 1 of 257: a request that fails on the canary is repeated where there is weight.

    >>> weights_of(5), weights_of(100)
    ((5, 95), (256, 1))
    """
    return (percent, 100 - percent) if percent < 100 else (256, 1)


class Deployment:
    """The instances and the HAProxy in one directory; whoever changes it holds the lock (state).

    Args:
        config: of rollouts.
        directory: absolute.
        say: prints words for people.
    """

    def __init__(self, config: RolloutConfig, directory: Path, say: Callable[[str], None]) -> None:
        self.config, self.directory, self.say = config, directory, say
        self.haproxy = HAProxy(config, directory)
        self.instances = Instances(config, directory)
        self._file = StateFile(directory)
        self.state = self._file.load()

    def save(self, **changes: Any) -> State:
        """Make changes of the state durable, and HAProxy's file with them."""
        state = msgspec.structs.replace(self.state, **changes)
        self._file.save(state)
        self.state = state
        if self.state.port:
            self.haproxy.write(self.state)
        return self.state

    def reload(self) -> None:
        """Read the state again, once the lock is held."""
        self.state = self._file.load()

    @property
    def operation(self) -> Operation:
        """What is being done; only asked while something is."""
        if self.state.operation is None:
            raise RolloutError("nothing is being done")
        return self.state.operation

    @property
    def stable(self) -> Instance:
        """The instance that serves."""
        if not self.state.stable:
            raise RolloutError("nothing is deployed; start with: python -m deploy up VERSION")
        return self.state.instances[self.state.stable]

    def require_running(self) -> None:
        """Fail where there is nothing to roll out to."""
        name = self.stable.name
        if not self.haproxy.runtime.is_running:
            raise HAProxyNotRunningError
        if not self.instances.is_running(self.stable):
            raise RolloutError(f"the stable instance {name} is not running; start it with: python -m deploy up")

    def begin(self, command: str, version: str) -> Instance:
        """Start a new instance and take it through the health gate; without success, nothing of it is left."""
        if not VERSION.fullmatch(version):
            raise RolloutError(f"{version!r} is no version: letters, digits, points, dashes and underscores")
        number = self.state.number + 1
        port, grpc_port = free_ports(2)
        instance = Instance(
            name=f"{number:04d}-{version}",
            version=version,
            slot=self.state.free_slot(),
            port=port,
            grpc_port=grpc_port if self.state.grpc_port else 0,
        )
        self.save(
            number=number,
            instances={**self.state.instances, instance.name: instance},
            operation=Operation(command=command, phase="starting", new=instance.name, old=self.state.stable),
        )
        self.say(f"starting {instance.name} on port {instance.port} ...")
        try:
            return self.bring_up(instance)
        except (InstanceError, OSError, KeyboardInterrupt) as error:
            self.abandon(str(error) or "interrupted")
            raise

    def bring_up(self, instance: Instance) -> Instance:
        """Start an instance and wait until it is ready, warm and scores."""
        began = time.monotonic()
        try:
            instance = self.instances.start(instance)
            self.save(instances={**self.state.instances, instance.name: instance})
            gate.wait_until_ready(instance.port, self.config, lambda: self.instances.is_running(instance))
            ready_s = time.monotonic() - began
            model = gate.warm_up(instance.name, instance.port, self.config.warm_up_requests)
        except InstanceError as error:
            words = self.instances.last_words(instance.name)
            raise InstanceError(f"{instance.name} cannot serve: {error}. Its log ends: {words}") from None
        self.say(f"{instance.name} is ready after {ready_s:.1f} s, warm, and scores with {model}")
        return instance

    def abandon(self, why: str) -> None:
        """Stop the new instance before it got a request, and forget it."""
        operation = self.operation
        new = self.state.instances[operation.new]
        self.instances.stop(new.name, self.config.stop_s)
        self.state = self.state.without(new.name).ended(operation.command, "undone", new.version, why)
        self.save()

    def attach(self, instance: Instance) -> None:
        """Let HAProxy know an instance, with weight 0, and wait until it passes its health check."""
        runtime = self.haproxy.runtime
        runtime.set_weight(instance.slot, 0)
        runtime.attach(instance.slot, instance.port, instance.grpc_port)
        runtime.wait_until_up(instance.slot, UP_S)

    def shift(self, percent: int, **changes: Any) -> None:
        """Give the new instance so many percent of the requests."""
        operation = self.operation
        new, old = (self.state.instances[name].slot for name in (operation.new, operation.old))
        share, rest = weights_of(percent)
        operation = msgspec.structs.replace(operation, phase="shifting", percent=percent, **changes)
        self.save(weights={new: share, old: rest}, operation=operation)
        self.apply_weights()

    def promote(self) -> None:
        """Make the new instance the stable one."""
        self.commit()
        self.finish()

    def commit(self) -> None:
        """Save that the new instance is the stable one: from then on there is no way back but another rollout."""
        operation = self.operation
        old = self.state.instances.get(operation.old)
        new = self.state.instances[operation.new]
        self.save(
            stable=new.name,
            previous=old.version if old and old.version != new.version else self.state.previous,
            weights={new.slot: 100} | ({old.slot: 0} if old else {}),
            operation=msgspec.structs.replace(operation, phase="promoted", percent=100),
        )

    def finish(self) -> None:
        """What follows a promotion: all weight to it, then drain and stop the old instance."""
        operation = self.operation
        if operation.command == "up":
            self.haproxy.start(self.state)
        self.apply_weights()
        if operation.old in self.state.instances:
            self.retire(operation.old, self.config.drain_s, self.config.stop_s)
        self.state = self.state.ended(operation.command, "done", self.stable.version)
        self.save()

    def give_back(self, why: str) -> None:
        """Roll back: all weight to the stable instance at once, then drain and stop the new one.

        Not where only the new one is fit to serve: a bad model is better than none.
        """
        began = time.monotonic()
        new = self.state.instances[self.operation.new]
        servers = self.haproxy.runtime.servers() if self.haproxy.runtime.is_running else {}
        if servers and servers[new.slot].is_up and not servers[self.stable.slot].is_up:
            raise RolloutError(
                f"the stable instance {self.stable.name} is {servers[self.stable.slot].status}, so {new.name} goes on "
                "serving; start the stable one and roll back with: python -m deploy up"
            )
        operation = msgspec.structs.replace(self.operation, phase="returning", why=why)
        changes = {"weights": {self.stable.slot: 100, new.slot: 0}, "operation": operation}
        try:
            self.save(**changes)
        except OSError as error:  # a full disk keeps no applicant with a bad model
            self.say(f"the state cannot be written ({error}); going back all the same")
            self.state = msgspec.structs.replace(self.state, **changes)
        self.apply_weights()
        self.say(f"all requests go to {self.stable.name} again, after {time.monotonic() - began:.2f} s")
        self.retire(new.name, self.config.rollback_s / 2, self.config.rollback_s / 2)
        self.state = self.state.ended(operation.command, "rolled back", new.version, why)
        self.save()

    def apply_weights(self) -> None:
        """Set HAProxy's weights to those of the state, the rising ones first, so that somebody always serves.

        Where HAProxy is not running nothing is set: its file has the weights already.
        """
        runtime = self.haproxy.runtime
        if runtime.is_running:
            now = runtime.servers()
            for slot, weight in sorted(self.state.weights.items(), key=lambda one: now[one[0]].weight - one[1]):
                runtime.set_weight(slot, weight)

    def retire(self, name: str, drain_s: float, stop_s: float) -> None:
        """Let an instance without weight answer what it has, take it out of HAProxy, stop and forget it."""
        began = time.monotonic()
        slot = self.state.instances[name].slot
        runtime = self.haproxy.runtime
        if runtime.is_running:
            if not runtime.wait_until_idle([slot], drain_s):
                self.say(f"{name} still has requests after {drain_s:g} s; they are repeated on the other instance")
            runtime.detach(slot)
        clean = self.instances.stop(name, stop_s)
        self.state = self.state.without(name)
        how = "drained and stopped" if clean else f"killed, as it did not end within {stop_s:g} s"
        self.say(f"{name} {how} after {time.monotonic() - began:.1f} s")
