"""Ledgers and records of runs that nobody made, for tests of their judgement."""

from typing import Any

from loadtests.calibration import Calibration
from loadtests.counting.ledger import Count, Ledger
from loadtests.mix import CLASSES
from loadtests.results.record import Record
from loadtests.totals import Reading, totals
from loadtests.verdict import measure

SECONDS = 10


def ledger(latency_ms: float = 2.0, classes: tuple[str, ...] = tuple(CLASSES), users: int = 4) -> Ledger:
    """Ten seconds in which users of each class send at their pace, and everything is answered alike."""
    made = Ledger()
    for second in range(SECONDS):
        made.users[second] = dict.fromkeys(classes, users)
        for name in classes:
            for _ in range(round(users * CLASSES[name].pace_per_s)):
                made.count(name, second).sent += 1
                made.answered(name, second + 0.5, CLASSES[name].rows, latency_ms)
    return made


def counted(books: Ledger, **changes: Any) -> Reading:
    """What a service that is right counts for a ledger, but for `changes`."""
    predicted = {"http": 0, "v2": 0, "grpc": 0}
    for name, user_class in CLASSES.items():
        if user_class.protocol:
            predicted[user_class.protocol] += books.total([name]).rows
    rows, total = sum(predicted.values()), books.total(CLASSES)
    right = {"predicted": predicted, "rejected": total.refused, "logged": rows, "unlogged": 0, "profiled": rows}
    return Reading(**right | changes)


def record(books: Ledger | None = None, **changes: Any) -> Record:
    """A run of those ten seconds, not judged yet."""
    books = books or ledger()
    values: dict[str, Any] = {
        "time": "20261126T120000Z",
        "target": "http://127.0.0.1:3000",
        "on_this_machine": True,
        "model": "loans:1f",
        "shape": "steady",
        "users": 20,
        "run_s": SECONDS,
        "processes": 1,
        "applicants": "drawn",
        "measured": {name: measure(books, name, 0, SECONDS) for name in books.counts[0]},
        "calibration": Calibration(before_us=100, after_us=100, machine="one"),
        "busy": 0.3,
        "totals": totals(books, counted(books), 0),
        "steps": [],
        "checks": [],
        "passed": True,
        "ledger": books,
    }
    return Record(**values | changes)


__all__ = ["SECONDS", "Count", "counted", "ledger", "record"]
