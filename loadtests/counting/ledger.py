"""The ledger: what was sent and what became of it, per user class and slice of time.

Owns counting and merging. Every process of the load generator keeps one; the workers hand theirs to the master, which
adds them up. Each request is booked when it is sent and again when it ends, so that at the end nothing is unaccounted:
sent = answered + refused + lost.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from loadtests.counting.latencies import bucket

MAX_REASONS = 20  # different reasons kept per class
MAX_REASON_LENGTH = 200  # characters


class Count(Struct, kw_only=True):
    """What became of requests.

    Attributes:
        sent: requests that began.
        answered: requests with a complete answer.
        refused: requests with an error of the service.
        lost: requests without an answer, or with one that is wrong: their rows may have been scored or not.
        rows: applicants in `answered`.
        rows_lost: applicants in `lost`.
        latencies: number of `answered` by bucket of `loadtests.counting.latencies`.
    """

    sent: int = 0
    answered: int = 0
    refused: int = 0
    lost: int = 0
    rows: int = 0
    rows_lost: int = 0
    latencies: dict[int, int] = {}

    def add(self, other: "Count") -> None:
        """Add what another has counted."""
        self.sent += other.sent
        self.answered += other.answered
        self.refused += other.refused
        self.lost += other.lost
        self.rows += other.rows
        self.rows_lost += other.rows_lost
        for number, amount in other.latencies.items():
            self.latencies[number] = self.latencies.get(number, 0) + amount


class Ledger(Struct, kw_only=True):
    """The books of one process, or of all together.

    Attributes:
        slice_s: seconds of a slice; slice 0 begins with the load.
        counts: by slice, then by user class.
        users: users by slice and user class, as the master sees them.
        reasons: how often requests were refused or lost, by class and reason.
        cpu_s: processor seconds of each process that sent requests.
        late: how late requests were sent, by bucket of `loadtests.counting.latencies`: waits of locust itself.
    """

    slice_s: float = 1.0
    counts: dict[int, dict[str, Count]] = {}
    users: dict[int, dict[str, int]] = {}
    reasons: dict[str, dict[str, int]] = {}
    cpu_s: dict[str, float] = {}
    late: dict[int, int] = {}

    def sent(self, name: str, at_s: float, late_ms: float) -> None:
        """Book that a request begins, so much later than it was due."""
        self.count(name, at_s).sent += 1
        number = bucket(late_ms)
        self.late[number] = self.late.get(number, 0) + 1

    def count(self, name: str, at_s: float) -> Count:
        """The count to add to for a class, `at_s` seconds after the load began."""
        return self.counts.setdefault(int(at_s // self.slice_s), {}).setdefault(name, Count())

    def answered(self, name: str, at_s: float, rows: int, latency_ms: float) -> None:
        """Book an answer."""
        count = self.count(name, at_s)
        count.answered += 1
        count.rows += rows
        number = bucket(latency_ms)
        count.latencies[number] = count.latencies.get(number, 0) + 1

    def refused(self, name: str, at_s: float, reason: str) -> None:
        """Book an error of the service."""
        self.count(name, at_s).refused += 1
        self._note(name, reason, 1)

    def lost(self, name: str, at_s: float, rows: int, reason: str) -> None:
        """Book a request without a right answer."""
        count = self.count(name, at_s)
        count.lost += 1
        count.rows_lost += rows
        self._note(name, reason, 1)

    def add(self, other: "Ledger") -> None:
        """Add the books of another process; its processor time replaces what it reported before."""
        for number, classes in other.counts.items():
            for name, count in classes.items():
                self.counts.setdefault(number, {}).setdefault(name, Count()).add(count)
        for name, reasons in other.reasons.items():
            for reason, times in reasons.items():
                self._note(name, reason, times)
        self.cpu_s.update(other.cpu_s)
        for number, amount in other.late.items():
            self.late[number] = self.late.get(number, 0) + amount

    def total(self, names: Iterable[str], first: int = 0, end: int | None = None) -> Count:
        """The sum over classes, and over the slices from `first` up to but not including `end`."""
        total, wanted = Count(), set(names)
        for number, classes in self.counts.items():
            if number >= first and (end is None or number < end):
                for name in wanted & classes.keys():
                    total.add(classes[name])
        return total

    def user_s(self, name: str, first: int = 0, end: int | None = None) -> float:
        """Seconds that users of a class were there, summed over the users."""
        chosen = [users for number, users in self.users.items() if number >= first and (end is None or number < end)]
        return self.slice_s * sum(users.get(name, 0) for users in chosen)

    def encode(self) -> bytes:
        """As JSON."""
        return msgspec.json.encode(self)

    def _note(self, name: str, reason: str, times: int) -> None:
        reasons = self.reasons.setdefault(name, {})
        reason = reason[:MAX_REASON_LENGTH]
        if reason not in reasons and len(reasons) >= MAX_REASONS:
            reason = "other reasons"
        reasons[reason] = reasons.get(reason, 0) + times


def decode(encoded: bytes) -> Ledger:
    """A ledger from JSON."""
    return msgspec.json.decode(encoded, type=Ledger)
