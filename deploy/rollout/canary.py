"""The canary: step by step more requests, judged at each step, and back at once when an objective is broken.

Owns: how long a step lasts and what ends it. Leaves to others: the verdict (judge), the counting (counts), the moves
(deployment). A step ends when it has lasted `step_s` and seen `least_requests`; a step that does not see them within
`most_step_s` is rolled back.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from deploy.rollout.counts import Counts, take
from deploy.rollout.deployment import Deployment
from deploy.rollout.errors import Breach, RolloutError
from deploy.rollout.gate import KEY_VARIABLE
from deploy.rollout.judge import error_budget, judge
from deploy.rollout.state import Instance, Totals, holder

ASKED = "rollback.asked"  # a file by which another command ends a canary: it names the process of that


class Step(Struct, frozen=True, kw_only=True):
    """What a step saw."""

    percent: int
    seconds: float
    requests: int
    failures: int
    response_ms: int
    stable_response_ms: int
    approved: float | None
    stable_approved: float | None


class Watch:
    """Counts the canary and the stable instance, and judges the step and the whole of the canary.

    Both, as a model that turns bad is seen in the step, and one that is a little bad, or bad to few, in the whole. Made
    before the canary gets its first request.

    Args:
        deployment: whose operation is a canary.
        new: its instance.
        stable: the other one.
    """

    def __init__(self, deployment: Deployment, new: Instance, stable: Instance) -> None:
        self._deployment, self._new, self._stable = deployment, new, stable
        self._first = self._before = self._take()
        self._progress, self._progress_s = -1, time.monotonic()
        self.began_s = time.monotonic()
        for counts, instance in zip(self._first, (new, stable), strict=True):
            if counts.own is None:
                remedy = f"with API keys, set {KEY_VARIABLE} to one that may read"
                raise RolloutError(f"{instance.name} does not give its /metrics, so nothing can be judged; {remedy}")

    def begin_step(self) -> None:
        """Count the step from here."""
        self._before = self._take()
        self.began_s = time.monotonic()

    def look(self) -> tuple[Counts, Counts, Breach | None]:
        """The counts of the step so far, and the verdict on them."""
        now = self._take()
        if any(counts.own is None for counts in self._before):  # it was busy when the step began
            self._before = now
            self.began_s = time.monotonic()
        new, stable = (one.since(before) for one, before in zip(now, self._before, strict=True))
        if now[0].http_ended != self._progress or new.in_flight == 0:
            self._progress, self._progress_s = now[0].http_ended, time.monotonic()
        stalled_s = time.monotonic() - self._progress_s
        objectives = self._deployment.config.objectives
        whole = now[0].since(self._first[0]), now[1].since(self._first[1])
        spent = self._spent(*now, whole[0].all_failures)
        breach = judge(objectives, new, stable, spent, stalled_s) or judge(objectives, *whole, spent, stalled_s)
        return new, stable, breach

    def _spent(self, new: Counts, stable: Counts, failures: int) -> Totals:
        """Requests since the canary began, and the canary's failures; after a restart of HAProxy, since then."""
        began_new, began_stable = self._deployment.operation.began
        begun = new.requests >= began_new.requests and stable.requests >= began_stable.requests
        if not begun:
            began_new = began_stable = Totals()
        requests = new.requests + stable.requests - began_new.requests - began_stable.requests
        return Totals(requests, max(new.failures - began_new.failures, failures))

    def _take(self) -> tuple[Counts, Counts]:
        servers = self._deployment.haproxy.runtime.totals()
        new, stable = (take(servers[one.slot], one.port) for one in (self._new, self._stable))
        return new, stable


def run_steps(deployment: Deployment, watch: Watch) -> Iterator[Step]:
    """Take the steps from the one that the state names; raise `Breach` at the first that fails."""
    operation = deployment.operation
    new = deployment.state.instances[operation.new]
    for percent in deployment.config.canary.steps:
        if percent < operation.percent:
            continue
        deployment.shift(percent)
        deployment.say(f"{percent}% of the requests go to {new.name}")
        watch.begin_step()
        yield _run_step(deployment, percent, watch)


def _run_step(deployment: Deployment, percent: int, watch: Watch) -> Step:
    canary = deployment.config.canary
    while True:
        time.sleep(canary.interval_s)
        new, stable, breach = watch.look()
        if _is_asked(deployment.directory):
            breach = Breach("asked", "`python -m deploy rollback` was called")
        lasted_s = time.monotonic() - watch.began_s
        is_read = new.own is not None and stable.own is not None
        enough = new.requests >= canary.least_requests and is_read
        if breach is None and lasted_s >= canary.most_step_s and not enough:
            why = f"{new.requests} requests in {lasted_s:.0f} s; {canary.least_requests} are needed"
            if not is_read:
                why = f"no /metrics of both instances after {lasted_s:.0f} s"
            breach = Breach("unjudged", why)
        if breach:
            raise breach
        if enough and lasted_s >= canary.step_s:
            step = Step(
                percent=percent,
                seconds=round(lasted_s, 1),
                requests=new.requests,
                failures=new.failed.hits,
                response_ms=new.response_ms,
                stable_response_ms=stable.response_ms,
                approved=round(new.approved.share, 4) if new.approved.of else None,
                stable_approved=round(stable.approved.share, 4) if stable.approved.of else None,
            )
            deployment.say(f"{percent}%: {describe(step)}: kept")
            return step


def _is_asked(directory: Path) -> bool:
    """Whether somebody asked this canary to end, and not one before it."""
    asked = directory / ASKED
    try:
        mine = asked.read_text(encoding="utf-8") == holder(directory)
    except FileNotFoundError:
        return False
    asked.unlink(missing_ok=True)
    return mine


def describe(step: Step) -> str:
    """A step in words."""
    approved, stable = ("-" if one is None else f"{one:.1%}" for one in (step.approved, step.stable_approved))
    return (
        f"{step.requests:,} requests in {step.seconds:g} s, {step.failures:,} failed, {step.response_ms} ms "
        f"(stable {step.stable_response_ms} ms), {approved} approved (stable {stable})"
    )


def totals(deployment: Deployment, new: Instance) -> tuple[Totals, Totals]:
    """What HAProxy has counted for both before the canary gets its first request."""
    servers = deployment.haproxy.runtime.totals()
    both = (servers[new.slot], servers[deployment.stable.slot])
    first, second = (Totals(server.requests, server.failures) for server in both)
    return first, second


def budget_line(deployment: Deployment) -> str:
    """The error budget in words."""
    objectives = deployment.config.objectives
    share = (1 - objectives.availability) * 100
    return f"error budget: {share:.3g}% of the requests, and at least {error_budget(objectives, 0):.0f}"
