"""For locust: the users, the shape of the load, and the hooks by which the ledger gets out.

`make load` starts locust with this file and judges what it leaves. It also works alone, with locust's own page:
`locust -f loadtests/locustfile.py --host http://127.0.0.1:3000`.

Owns locust's hooks. Leaves sending to `loadtests.clients`, the users at each moment to `loadtests.shapes` and
`loadtests.capacity`, and the verdict to `loadtests.verdict`.
"""

import os
from pathlib import Path
from typing import Any

import gevent
from locust import LoadTestShape, events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtests.capacity import Search, Step
from loadtests.clients.grpc_user import GrpcUser
from loadtests.clients.http_users import BatchUser, ExplainUser, SingleUser, V2User
from loadtests.clients.sending import LOAD
from loadtests.counting.ledger import Ledger, decode
from loadtests.counting.outcome import Outcome
from loadtests.counting.progress import line
from loadtests.objectives import read_slo
from loadtests.shapes import BREAKPOINT, NAMES, SHAPES
from loadtests.verdict import judge, measure, missed_of

USERS = {user.kind: user for user in (SingleUser, BatchUser, V2User, GrpcUser, ExplainUser)}
KINDS = {user.__name__: kind for kind, user in USERS.items()}
REPORT_S = 3  # locust's workers report that often
DRAIN_S = 2 * REPORT_S + 1  # without users at the end, so that everything is reported
LOOK_S = 0.25  # between looks at how many users there are
PROGRESS_S = (1, 5)  # between lines, at least and at most; a fifth of a short run


class Shaped(LoadTestShape):  # type: ignore[misc] # locust is not installed where types are checked
    """The shape that `--shape` names, then a moment without users."""

    use_common_options = True

    def __init__(self) -> None:
        super().__init__()
        self.search: Search | None = None
        self._ended_s: float | None = None

    def reset_time(self) -> None:
        """Called by locust when a run begins."""
        super().reset_time()
        self.search = self._ended_s = None

    def tick(self) -> tuple[int, float] | None:
        """Users, and how many of them to start per second; asked about once a second. None ends the run."""
        at_s = self.get_run_time()
        users = None if self._ended_s is not None else self._users(at_s)
        if users is not None:
            most = max(users, self.runner.environment.parsed_options.num_users or 1)
            return users, float(most)  # within a second: a spike is sudden
        if self._ended_s is None:
            self._ended_s = at_s
            LOAD.ended_s = LOAD.at_s
        drained = at_s - self._ended_s >= (DRAIN_S if isinstance(self.runner, MasterRunner) else 1)
        return None if drained and not self.runner.user_count else (0, 1000.0)

    def _users(self, at_s: float) -> int | None:
        options = self.runner.environment.parsed_options
        run_s, most = float(options.run_time or 60), options.num_users or 1
        if options.shape != BREAKPOINT:
            return SHAPES[options.shape](at_s, run_s, most) if at_s < run_s else None
        if self.search is None:
            late_s = REPORT_S + 1 if isinstance(self.runner, MasterRunner) else 0
            self.search = Search(most, run_s, late_s, self._judge)
        return self.search.users(at_s)

    def _judge(self, users: int, begin_s: float, end_s: float) -> Step:
        first = int(begin_s // LOAD.ledger.slice_s) + 1
        end = max(first + 1, int(end_s // LOAD.ledger.slice_s))
        classes = read_slo(Path(self.runner.environment.parsed_options.slo)).classes
        measured = {name: measure(LOAD.ledger, name, first, end) for name in classes}
        checks = [check for name, one in measured.items() for check in judge(name, one, classes[name])]
        per_s = sum(one.per_s for one in measured.values())
        LOAD.note_cpu()
        return Step(users=users, per_s=per_s, missed=missed_of(checks), busy=LOAD.busy())


@events.init_command_line_parser.add_listener
def add_options(parser: LocustArgumentParser) -> None:
    """Options of this file; workers get them from their master."""
    parser.add_argument("--shape", choices=NAMES, default="steady", help="of the load")
    parser.add_argument("--slo", default="loadtests/slo.yaml", help="objectives, by which a breakpoint is found")
    parser.add_argument("--grpc-target", default="127.0.0.1:3001", help="host:port for gRPC")
    parser.add_argument("--dataset", default="configs/datasets/german_credit.yaml", help="whose table gives real rows")
    parser.add_argument("--outcome", default="", include_in_web_ui=False, help="file to write the outcome to")
    parser.add_argument("--progress-fd", type=int, default=0, include_in_web_ui=False, help="where lines go")


@events.init.add_listener
def watch(environment: Environment, runner: Any, **_: Any) -> None:
    """In the process that decides on the users: keep count of them, and print progress."""
    if not isinstance(runner, WorkerRunner):
        gevent.spawn(_watch, environment, runner)


@events.test_start.add_listener
def begin(environment: Environment, **_: Any) -> None:
    """Start the clock, in each process."""
    LOAD.begin(environment)


@events.report_to_master.add_listener
def report(client_id: str, data: dict[str, Any], **_: Any) -> None:
    """Hand the books of a worker over."""
    data["ledger"] = LOAD.take(client_id).encode()


@events.worker_report.add_listener
def merge(data: dict[str, Any], **_: Any) -> None:
    """Add the books of a worker."""
    LOAD.ledger.add(decode(data["ledger"]))


@events.quitting.add_listener
def leave_outcome(environment: Environment, **_: Any) -> None:
    """Write what the run has come to, for the program that judges it."""
    options: Any = environment.parsed_options
    if options.outcome and not isinstance(environment.runner, WorkerRunner):
        LOAD.note_cpu()
        search = environment.shape_class.search
        outcome = Outcome(ledger=LOAD.ledger, ended_s=LOAD.ended_s, steps=search.steps if search else [])
        Path(options.outcome).write_bytes(outcome.encode())


def _watch(environment: Environment, runner: Any) -> None:
    """Until locust ends."""
    options: Any = environment.parsed_options
    said_s, last = 0.0, Ledger()
    while True:
        gevent.sleep(LOOK_S)
        if LOAD.ledger is not last:  # another run has begun
            last, said_s = LOAD.ledger, 0.0
        if not LOAD.is_on:
            continue
        counts = getattr(runner, "reported_user_classes_count", None) or runner.user_classes_count
        number = int(LOAD.at_s // LOAD.ledger.slice_s)
        LOAD.ledger.users[number] = {KINDS[name]: users for name, users in counts.items() if name in KINDS}
        every_s = min(max(PROGRESS_S[0], (options.run_time or 60) / 5), PROGRESS_S[1])
        if options.progress_fd and LOAD.at_s - said_s >= every_s:
            _say(options.progress_fd, runner, said_s)
            said_s = LOAD.at_s


def _say(descriptor: int, runner: Any, since_s: float) -> None:
    """One line of progress; without a reader the run ends."""
    at_s, slice_s = LOAD.at_s, LOAD.ledger.slice_s
    late_s = REPORT_S + 1 if isinstance(runner, MasterRunner) else 0  # until then workers have not reported everything
    first, end = (max(0, int((moment_s - late_s) // slice_s)) for moment_s in (since_s, at_s))
    if end <= first:  # nothing is complete yet
        return
    interval_s = (end - first) * slice_s
    text = line(at_s, runner.user_count, LOAD.ledger.total(USERS, first, end), interval_s)
    try:
        os.write(descriptor, f"{text}\n".encode())
    except OSError:
        runner.quit()
