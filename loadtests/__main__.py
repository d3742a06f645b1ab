"""The command behind `make load`: check, calibrate, load, settle, compare, judge; exit code 0, or 1 when it fails.

    python -m loadtests --target http://127.0.0.1:3000 --users 50 --run-time 60s --shape steady

Exit codes: 0 every objective held, 1 one was missed, 2 the run could not be made, 130 interrupted.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from loadtests.calibration import Calibration, calibrate, machine
from loadtests.counting.progress import most_frequent
from loadtests.generator import require_free, run
from loadtests.judging import judged, too_short
from loadtests.objectives import Slo, read_slo
from loadtests.options import Options, parse
from loadtests.payloads.applicants import table_rows
from loadtests.problems import LoadTestError
from loadtests.results.page import page
from loadtests.results.plot import plot
from loadtests.results.record import Record, keep, last_passed, unfinished
from loadtests.target import Model, Target, require_listener
from loadtests.totals import Reading, moved, quiet, reading, settled, totals
from loadtests.verdict import classes_table, measure, missed_of

LOG = "load.log"


def main(arguments: Sequence[str]) -> int:
    """Run a load test; the verdict goes to standard output, everything else to standard error."""
    try:
        options = parse(arguments)
        slo = read_slo(options.slo)
        target = Target(options.target, options.key)
        target.require_ready()
        model = target.model()
        if "grpc" in slo.classes:
            require_listener(options.grpc_target)
        if options.distributed:
            require_free(options.master_host, options.master_port)
        with unfinished(options.out) as (stamp, folder):
            record = _loaded(options, slo, target, model, stamp, folder)
            plot(record, folder / "plot.png")
            (folder / "index.html").write_text(page(record, folder / "plot.png"), encoding="utf-8")
            kept = keep(record, folder, options.out)
    except LoadTestError as error:
        say(f"load test: {error}")
        return 2
    except KeyboardInterrupt:
        say("\nload test: interrupted; nothing was judged, and nothing kept")
        return 130
    print(_verdict(record, kept))
    return 0 if record.passed else 1


def say(text: str) -> None:
    """A line for the person who waits."""
    print(text, file=sys.stderr, flush=True)


def _loaded(options: Options, slo: Slo, target: Target, model: Model, stamp: str, folder: Path) -> Record:
    """The whole run, judged."""
    applicants = table_rows(options.dataset, model)[1]
    say(f"load         {options.shape}, {options.users} users, {options.run_s:g} s, on {options.target}")
    say(f"model        {model.name}:{model.version}; applicants {applicants}")
    if note := too_short(options.shape, options.run_s):
        say(f"note         {note}")

    def read() -> Reading:
        return reading(target.samples())

    idle = quiet(read)
    before_us = calibrate()
    before = read()
    say(f"calibration  {before_us:.0f} us per round trip")
    outcome = run(options, list(slo.classes), folder, options.out.parent / "log" / LOG, say)
    after_us, after, others, unread = 0.0, before, moved(before.since(idle)), ""
    try:
        after = settled(read, before)
        after_us = calibrate()  # meanwhile others who use the service are seen
        others += moved(read().since(after))
    except LoadTestError as error:  # it has died under the load: what it answered before is judged, and kept
        unread = str(error)
        after_us = after_us or calibrate()
    end = max(1, int(outcome.ended_s // outcome.ledger.slice_s))
    record = Record(
        time=stamp,
        target=options.target,
        on_this_machine=target.is_here,
        model=f"{model.name}:{model.version}",
        shape=options.shape,
        users=options.users,
        run_s=outcome.ended_s,
        processes=options.processes + options.remote if options.distributed else 1,
        applicants=applicants,
        measured={name: measure(outcome.ledger, name, 0, end, to_the_last=True) for name in slo.classes},
        calibration=Calibration(before_us=before_us, after_us=after_us, machine=machine()),
        busy=max(outcome.ledger.cpu_s.values(), default=0) / max(outcome.ended_s, 1),
        totals=totals(outcome.ledger, after.since(before), others, unread),
        steps=outcome.steps,
        checks=[],
        passed=False,
        ledger=outcome.ledger,
    )
    return judged(record, slo, last_passed(options.out, record.kind, slo.calibration_change))


def _verdict(record: Record, kept: Path) -> str:
    """The table and the lines under it."""
    lines = [classes_table(record.measured, record.checks), ""]
    lines += [
        f"{check.subject:<12} {check.word:<10} {check.note}"
        for check in record.checks
        if check.subject not in record.measured
    ]
    lines += [f"{'errors':<12} {text}" for text in most_frequent(record.ledger.reasons)]
    missed = ", ".join(missed_of(record.checks))
    lines += ["", f"results      {kept}/index.html", f"verdict      {f'MISSED: {missed}' if missed else 'passed'}"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
