"""The search for the capacity: more users step by step until an objective breaks, then closer from both sides.

Owns the next number of users. Leaves judging a step to `loadtests.verdict`.
"""

import math
from collections.abc import Callable

from msgspec import Struct

GROWTH = 1.5  # users of a step, as a multiple of the last that held
CLOSE_ENOUGH = 1.15  # ratio of the users that broke an objective to those that held, at which the search ends
STEPS = 12  # that fit into the run time, if that leaves each the shortest time
SHORTEST_S, LONGEST_S = 5, 60  # seconds per step: a p99 needs some hundred answers


def step_s(run_s: float) -> float:
    """Seconds per step.

    >>> step_s(60), step_s(600), step_s(7200)
    (5, 50.0, 60)
    """
    return min(LONGEST_S, max(SHORTEST_S, run_s / STEPS))


class Step(Struct, frozen=True, kw_only=True):
    """One step that was judged.

    Attributes:
        users: offered load.
        per_s: requests answered per second.
        missed: what broke; empty if every objective held.
        busy: share of a core that the busiest process of the load generator used.
    """

    users: int
    per_s: float
    missed: tuple[str, ...]
    busy: float

    @property
    def held(self) -> bool:
        """Whether every objective held."""
        return not self.missed


def next_users(first: int, steps: list[Step]) -> int | None:
    """Users of the next step; None when the search is over. A step that broke is tried once more before it counts.

    >>> def tried(users, *missed):
    ...     return Step(users=users, per_s=1, missed=missed, busy=0)
    >>> held, broke = [tried(100), tried(150)], tried(225, "single p99_ms")
    >>> next_users(100, []), next_users(100, held), next_users(100, [*held, broke])
    (100, 225, 225)
    >>> next_users(100, [*held, broke, broke]), next_users(100, [tried(100, "p99_ms")] * 2)
    (183, None)
    """
    if not steps:
        return first
    last = steps[-1]
    if not last.held and broken(steps) != last.users:
        return last.users
    good, limit = best(steps), broken(steps)
    if good is None:
        return None
    if limit is None:
        return math.ceil(good.users * GROWTH)
    return None if limit <= good.users * CLOSE_ENOUGH else math.floor(math.sqrt(good.users * limit))


def broken(steps: list[Step]) -> int | None:
    """The fewest users with whom an objective broke twice, and never held."""
    held = {step.users for step in steps if step.held}
    failed = [step.users for step in steps if not step.held]
    return min((users for users in failed if failed.count(users) > 1 and users not in held), default=None)


def best(steps: list[Step]) -> Step | None:
    """The good step with the most users below those with whom an objective broke."""
    limit = broken(steps) or math.inf
    return max((step for step in steps if step.held and step.users < limit), key=lambda step: step.users, default=None)


class Search:
    """The steps of one run, by time.

    Args:
        first: users of the first step.
        run_s: seconds; no step begins that would not end within them.
        late_s: seconds after a step before its figures are complete.
        judge: judges a step by its users, begin and end in seconds; its first third, in which users start, is left out.
    """

    def __init__(self, first: int, run_s: float, late_s: float, judge: Callable[[int, float, float], Step]) -> None:
        self.steps: list[Step] = []
        self._first, self._run_s, self._late_s, self._judge = first, run_s, late_s, judge
        self._step_s = step_s(run_s)
        self._users: int | None = first
        self._began_s = 0.0

    def users(self, at_s: float) -> int | None:
        """Users at a moment, after judging the step that is over; None when the search has ended."""
        if self._users is not None and at_s - self._began_s >= self._step_s + self._late_s:
            end_s = self._began_s + self._step_s
            self.steps.append(self._judge(self._users, self._began_s + self._step_s / 3, end_s))
            self._users = next_users(self._first, self.steps)
            self._began_s = at_s
            if at_s + self._step_s + self._late_s > self._run_s:
                self._users = None
        return self._users
