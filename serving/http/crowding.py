"""Too many connections: which ones give way to new ones, so that those that send nothing deny nobody the service.

Owns how many connections one address may have, and who is closed early when it has them all or when file descriptors
run out: first heads that were begun and not ended, then connections that never had a request, then those that have been
idle for a while, then bodies that do not come. A request that is being answered never gives way. What is closed is
counted and logged. Leaves to others: when a connection can give way (`serving.http.closing`), and how many
descriptors there are (`serving.http.descriptors`).
"""

import logging
from collections import deque
from collections.abc import Collection, Iterable
from heapq import nsmallest
from typing import Protocol

from serving.access.wrong_keys import site_of
from serving.metrics import metrics

FOUND_AT_ONCE = 512  # connections per look at all of them, which takes some 0.5 ms per thousand
FEW, SCAN_INTERVAL_S = 8, 0.1  # after a look that finds fewer there is none for so long
LINE_INTERVAL_S = 10.0  # between two lines of the log
SENT_NOTHING = 2  # ranks below it: connections that have no request; of them more give way, as a crowd comes at once
MORE = 16
logger = logging.getLogger("bentoml.scorer")

Rank = tuple[int, float]  # the lower ones give way first


class Occupant(Protocol):
    """A connection."""

    def rank(self, now_s: float) -> Rank | None:
        """How soon it gives way; None if it does not."""

    def give_way(self) -> None:
        """End."""


class Waiting:
    """Those of a set of connections that can give way, in order."""

    def __init__(self) -> None:
        self._found: deque[Occupant] = deque()
        self._next_scan_s = 0.0

    def take(self, occupants: Iterable[Occupant], now_s: float) -> tuple[int, Occupant] | None:
        """The next that gives way, and its rank; None if there is none, or none was found just now."""
        for scanned in (False, True):
            while self._found:
                occupant = self._found.popleft()
                if rank := occupant.rank(now_s):
                    return rank[0], occupant
            if scanned or now_s < self._next_scan_s:
                break
            ranked = ((rank, id(one), one) for one in occupants if (rank := one.rank(now_s)))
            self._found.extend(one for *_, one in nsmallest(FOUND_AT_ONCE, ranked))
            if len(self._found) < FEW:
                self._next_scan_s = now_s + SCAN_INTERVAL_S
        return None


class Site:
    """The connections of one address."""

    def __init__(self) -> None:
        self.occupants: set[Occupant] = set()
        self.waiting = Waiting()


class Crowd:
    """The connections of one worker by address."""

    def __init__(self) -> None:
        self._sites: dict[str, Site] = {}
        self._waiting = Waiting()
        self._closed = 0
        self._next_line_s = 0.0

    def enter(self, occupant: Occupant, address: str, limit: float, now_s: float) -> bool:
        """Count a connection; whether its address has a place for it, if need be after another one gave way.

        Args:
            occupant: the connection.
            address: of the client.
            limit: connections per address.
            now_s: of the loop's clock.
        """
        site = self._sites.setdefault(site_of(address), Site())
        here = len(site.occupants) < limit or self._close_one(site.waiting, site.occupants, now_s) is not None
        site.occupants.add(occupant)
        return here

    def leave(self, occupant: Occupant, address: str) -> None:
        """Count the end of a connection."""
        name = site_of(address)
        if site := self._sites.get(name):
            site.occupants.discard(occupant)
            if not site.occupants:
                del self._sites[name]

    def make_room(self, occupants: Collection[Occupant], now_s: float) -> bool:
        """Have one of all connections give way, and some more of those without a request; whether there was one."""
        first = self._close_one(self._waiting, occupants, now_s)
        if first is not None and first < SENT_NOTHING:
            for _ in range(MORE):
                if self._close_one(self._waiting, occupants, now_s, below=SENT_NOTHING) is None:
                    break
        return first is not None

    def _close_one(
        self, waiting: Waiting, occupants: Collection[Occupant], now_s: float, below: int | None = None
    ) -> int | None:
        """The rank of the connection that gave way; None if there is none."""
        found = waiting.take(occupants, now_s)
        if found is None or (below is not None and found[0] >= below):
            return None
        rank, occupant = found
        occupant.give_way()
        self._closed += 1
        metrics().evicted_connections.inc()
        if now_s >= self._next_line_s:
            self._next_line_s = now_s + LINE_INTERVAL_S
            name, site = max(self._sites.items(), key=lambda item: len(item[1].occupants))
            logger.warning(
                "%d connections that waited for a request closed early so far, to make room for new ones: %d are open, "
                "%d of them from %s",
                self._closed,
                sum(len(one.occupants) for one in self._sites.values()),
                len(site.occupants),
                name,
            )
        return rank
