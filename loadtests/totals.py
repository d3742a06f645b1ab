"""The totals: after a run, requests sent = answers + refusals = what the metrics counted = logged = profiled.

Owns comparing the ledger with the difference of two readings of `/metrics`, and waiting, for a limited time, until the
profiler has caught up. A request that was lost may have been scored or not, so its rows are a margin and no error.

Others who use the service are told apart by the moments before and after the load, in which this program sends nothing
that is counted: whoever moves the counters then is somebody else, and the totals are not judged.
"""

import time
from collections.abc import Callable

from msgspec import Struct

from loadtests.counting.ledger import Count, Ledger
from loadtests.mix import CLASSES
from loadtests.target import Samples
from loadtests.verdict import Check

PREDICTIONS, REJECTED = "scorer_predictions_total", "scorer_rejected_total"
LOGGED, UNLOGGED = "scorer_logged_rows_total", "scorer_unlogged_rows_total"
PROFILED = "scorer_profiled_rows_total"
SETTLE_S, POLL_S = 60, 0.5  # seconds to wait for the profiler, which looks for rows every second, and between readings


class Reading(Struct, frozen=True, kw_only=True):
    """The counters at one moment: rows, but for `rejected`, which are requests.

    Attributes:
        predicted: by protocol.
    """

    predicted: dict[str, int]
    rejected: int
    logged: int
    unlogged: int
    profiled: int

    @property
    def rows(self) -> int:
        """Rows predicted over all protocols."""
        return sum(self.predicted.values())

    def since(self, before: "Reading") -> "Reading":
        """The difference."""
        protocols = self.predicted.keys() | before.predicted.keys()
        return Reading(
            predicted={name: self.predicted.get(name, 0) - before.predicted.get(name, 0) for name in sorted(protocols)},
            rejected=self.rejected - before.rejected,
            logged=self.logged - before.logged,
            unlogged=self.unlogged - before.unlogged,
            profiled=self.profiled - before.profiled,
        )


def reading(samples: Samples) -> Reading:
    """The counters in a page of metrics."""
    predicted: dict[str, int] = {}
    sums = dict.fromkeys((REJECTED, LOGGED, UNLOGGED, PROFILED), 0)
    for (name, labels), value in samples.items():
        if name == PREDICTIONS:
            protocol = dict(labels).get("protocol", "")
            predicted[protocol] = predicted.get(protocol, 0) + int(value)
        elif name in sums:
            sums[name] += int(value)
    return Reading(
        predicted=predicted,
        rejected=sums[REJECTED],
        logged=sums[LOGGED],
        unlogged=sums[UNLOGGED],
        profiled=sums[PROFILED],
    )


def quiet(read: Callable[[], Reading], within_s: float = SETTLE_S) -> Reading:
    """The counters once the profiler has nothing left to do, or time is up: between two readings it did not move."""
    deadline, now = time.monotonic() + within_s, read()
    while time.monotonic() < deadline:
        time.sleep(2 * POLL_S)
        last, now = now, read()
        if now.profiled == last.profiled:
            break
    return now


def settled(read: Callable[[], Reading], before: Reading, within_s: float = SETTLE_S) -> Reading:
    """The counters once all that was logged since `before` is profiled, or time is up."""
    deadline, now = time.monotonic() + within_s, read()
    while time.monotonic() < deadline:
        last = now
        time.sleep(POLL_S)  # more than the 0.2 s by which counters of the service may be behind
        now = read()
        difference = now.since(before)
        if now == last and difference.profiled >= difference.logged:
            break
    return now


class Totals(Struct, frozen=True, kw_only=True):
    """Both sides.

    Attributes:
        sent: everything that this program has sent, over all classes.
        expected: rows answered, by protocol.
        margin: rows of lost requests, by protocol.
        counted: what the service counted meanwhile.
        others: rows and refusals that somebody else caused in the quiet moments before and after the load.
        unread: why the counters could not be read after the load; then `counted` is nothing.
    """

    sent: Count
    expected: dict[str, int]
    margin: dict[str, int]
    counted: Reading
    others: int
    unread: str = ""


def moved(difference: Reading) -> int:
    """By how much rows and refusals went up."""
    return difference.rows + difference.rejected


def totals(ledger: Ledger, counted: Reading, others: int, unread: str = "") -> Totals:
    """Both sides of the comparison."""
    sent = ledger.total(CLASSES)
    sent.latencies = {}
    expected: dict[str, int] = {}
    margin: dict[str, int] = {}
    for name, user_class in CLASSES.items():
        count, protocol = ledger.total([name]), user_class.protocol
        if protocol:
            expected[protocol] = expected.get(protocol, 0) + count.rows
            margin[protocol] = margin.get(protocol, 0) + count.rows_lost
    return Totals(sent=sent, expected=expected, margin=margin, counted=counted, others=others, unread=unread)


def judge_totals(found: Totals) -> list[Check]:
    """Whether the two sides agree, in up to one check per disagreement."""
    if unusable := _unusable(found):
        return [unusable]
    counted, sent, problems = found.counted, found.sent, []
    ended = sent.answered + sent.refused + sent.lost
    if ended != sent.sent:
        problems.append(f"{sent.sent:,} requests sent, and {ended:,} accounted for: a process of locust was lost")
    for protocol in sorted(counted.predicted.keys() | found.expected.keys()):
        expected, margin = found.expected.get(protocol, 0), found.margin.get(protocol, 0)
        rows = counted.predicted.get(protocol, 0)
        if rows > expected + margin:
            why = "another client used the service, or it counts twice; give it to this run alone"
            problems.append(f"{protocol}: {rows:,} rows scored, and {expected + margin:,} asked for: {why}")
        elif rows < expected:
            problems.append(f"{protocol}: {expected:,} rows answered, and {rows:,} counted as scored")
    if not sent.refused <= counted.rejected <= sent.refused + sent.lost:
        problems.append(f"{sent.refused:,} requests refused, and {counted.rejected:,} counted as refused")
    if counted.logged + counted.unlogged != counted.rows:
        problems.append(
            f"{counted.rows:,} rows scored, and {counted.logged:,} logged and {counted.unlogged:,} unlogged"
        )
    if counted.profiled != counted.logged:
        problems.append(f"{counted.logged:,} rows logged, and {counted.profiled:,} profiled after {SETTLE_S} s")
    return [_check("MISSED", problem) for problem in problems] or [_check("pass", _agreed(found))]


def _unusable(found: Totals) -> Check | None:
    """Why the counters of the service say nothing about this run; None if they do."""
    counted = found.counted
    if found.unread:
        return _check("MISSED", f"what the service counted cannot be read after the load: {found.unread}")
    if min(counted.rejected, counted.logged, counted.profiled, *counted.predicted.values(), 0) < 0:
        return _check("MISSED", "the service was restarted meanwhile: its counters began anew")
    if found.others:
        note = f"others use this service: its counters moved by {found.others} while this program sent nothing"
        return _check("not judged", note)
    return None


def _check(word: str, note: str) -> Check:
    return Check(subject="totals", what="agree", word=word, note=note)  # type: ignore[arg-type] # one of the three


def _agreed(found: Totals) -> str:
    sent, counted = found.sent, found.counted
    unsure = f" + {sent.lost:,} lost" if sent.lost else ""
    unlogged = f" (+ {counted.unlogged:,} unlogged)" if counted.unlogged else ""
    requests = f"{sent.sent:,} requests sent = {sent.answered:,} answered + {sent.refused:,} refused{unsure}"
    logged = f"{counted.logged:,} logged{unlogged}"
    return f"{requests}; {counted.rows:,} rows scored = {logged} = {counted.profiled:,} profiled"
