"""A whole run, judged: its user classes, what its shape is for, its totals, and the run before.

Leaves each of these to the module that owns it, and puts them in order.
"""

import msgspec

from loadtests.capacity import best, broken
from loadtests.counting.latencies import percentile_ms
from loadtests.objectives import Slo
from loadtests.results.comparison import compare_runs
from loadtests.results.record import Record
from loadtests.shapes import BREAKPOINT
from loadtests.totals import judge_totals
from loadtests.verdict import Check, judge, measure, shown

BUSY = 0.9  # share of a core from which locust itself is the slower side
LATE_MS = 20  # lateness of the p95 from which waits of locust are no small part of what it measures
SOAK_LEAST_S = 600  # under which nothing has time to grow
QUARTERS = 4


def judged(record: Record, slo: Slo, last: Record | None) -> Record:
    """The record with everything that is judged of it; `last` is the run to compare with."""
    if record.shape == BREAKPOINT:
        checks = [_capacity(record)]
    else:
        checks = [check for name, one in record.measured.items() for check in judge(name, one, slo.classes[name])]
        checks += compare_runs(record, last, slo)
    if record.shape == "soak":
        checks += _growth(record, slo.soak_growth)
    if record.busy > BUSY:
        note = (
            f"locust used {record.busy:.0%} of a core, and its own waits count as latency; PROCESSES=2, or fewer USERS"
        )
        checks.append(Check(subject="generator", what="busy", word="not judged", note=note))
    late_ms = percentile_ms(record.ledger.late, 0.95) or 0
    if late_ms > LATE_MS:
        note = f"locust sent 5% of its requests {shown(late_ms)} ms late or more: this machine is too busy for both"
        checks.append(Check(subject="generator", what="late", word="not judged", note=note))
    checks += judge_totals(record.totals)
    return msgspec.structs.replace(record, checks=checks, passed=not any(check.missed for check in checks))


def too_short(shape: str, run_s: float) -> str:
    """A note on a run that is too short for what its shape is for; empty if it is not.

    >>> too_short("soak", 60), too_short("steady", 60)
    ('a soak of 60 s shows little: RUN_TIME=2h', '')
    """
    return f"a soak of {run_s:g} s shows little: RUN_TIME=2h" if shape == "soak" and run_s < SOAK_LEAST_S else ""


def _capacity(record: Record) -> Check:
    """What the search for the breakpoint has found."""
    found, limit = best(record.steps), broken(record.steps)
    last = next((step for step in reversed(record.steps) if step.users == limit), None)
    if found is None:
        why = f"{', '.join(last.missed[:3])} missed at the first step" if last else "RUN_TIME ended before a step held"
        note = f"not found: {why}; start with fewer USERS, or give more RUN_TIME"
        return Check(subject="capacity", what="requests/s", word="MISSED", note=note)
    note = f"{shown(found.per_s)} requests/s at {found.users} users"
    if last is None:
        note = f"at least {note}: RUN_TIME ended before an objective broke"
    elif last.busy > BUSY:
        note = f"at least {note}: at {last.users} users locust itself was the limit; PROCESSES=2, or another machine"
    else:
        note = f"{note}; at {last.users} users {', '.join(last.missed[:3])} broke"
    return Check(subject="capacity", what="requests/s", measured=found.per_s, word="pass", note=note)


def _growth(record: Record, most: float) -> list[Check]:
    """Whether the p95 of the last quarter is that of the first."""
    ledger, checks = record.ledger, []
    end = int(record.run_s // ledger.slice_s)
    for name in record.measured:
        first = measure(ledger, name, 0, max(1, end // QUARTERS)).p95_ms
        last = measure(ledger, name, end - max(1, end // QUARTERS), end).p95_ms
        if first is None or last is None:
            continue
        ratio = last / first
        note = f"{name}: p95 of the last quarter is {shown(ratio)} times that of the first; at most {shown(most)}"
        word = "pass" if ratio <= most else "MISSED"
        checks.append(Check(subject="growth", what=name, measured=ratio, bound=most, word=word, note=note))  # type: ignore[arg-type] # one of two
    return checks
