"""HAProxy's runtime socket: commands, and the counters of each server.

Owns: the protocol of the socket and the columns of `show stat`. Leaves to others: which weights (rollout), HAProxy's
process and file (haproxy).

Weights are absolute numbers, 0 to 256: a weight in percent is one of the initial weight, so 0 would stay 0.
"""

import csv
import socket
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from deploy.rollout.errors import HAProxyNotRunningError, RolloutError

ANSWER_S = 5.0  # HAProxy answers in milliseconds
POLL_S = 0.05
BACKEND, GRPC_BACKEND = "http", "grpc"


class Server(Struct, frozen=True):
    """What HAProxy counted for one server since it started.

    Attributes:
        status: `UP`, `DOWN`, `MAINT`, `DRAIN`, some with a count behind them.
        weight: in force now.
        in_flight: requests that wait for their answer.
        requests: requests sent, those included that were then repeated on the other server.
        answered: answers passed on to clients.
        refused: answers with 4xx among them.
        failures: answers with 5xx and requests without an answer, whether repeated or passed on.
        response_ms: mean time to the first byte of an answer, over the last 1,024 requests.
        http_ended: answers and failures over HTTP, which alone `in_flight` and `response_ms` are of.
    """

    status: str
    weight: int
    in_flight: int
    requests: int
    answered: int
    refused: int
    failures: int
    response_ms: int
    http_ended: int = 0

    @property
    def is_up(self) -> bool:
        """Whether it passes its health check and may get requests; `UP 1/2` is about to go down."""
        return self.status.startswith("UP")


class Runtime:
    """The socket at `path`; every call connects anew, so HAProxy may be restarted between two."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, command: str) -> str:
        """Send one command; return what HAProxy answers."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_S)
                connection.connect(str(self._path))
                connection.sendall(command.encode() + b"\n")
                with connection.makefile("r", encoding="utf-8") as answer:
                    return answer.read().strip()
        except TimeoutError:
            remedy = "see haproxy/haproxy.log in the rollout's directory"
            raise RolloutError(f"HAProxy does not answer on {self._path} within {ANSWER_S:g} s; {remedy}") from None
        except OSError:
            raise HAProxyNotRunningError from None

    @property
    def is_running(self) -> bool:
        """Whether HAProxy answers."""
        return self.pid() != 0

    def pid(self) -> int:
        """HAProxy's process; 0 if none answers."""
        try:
            lines = self.ask("show info").splitlines()
        except HAProxyNotRunningError:
            return 0
        return int(dict(line.split(": ", 1) for line in lines if ": " in line)["Pid"])

    def attach(self, slot: str, port: int, grpc_port: int) -> None:
        """Let a slot stand for an instance; it gets requests once it passes the health check and has a weight."""
        self.ask("clear counters all")  # the mean time of a slot would be that of the instance before
        self._set(f"{BACKEND}/{slot} addr 127.0.0.1 port {port}")
        if grpc_port:
            self._set(f"{GRPC_BACKEND}/{slot} addr 127.0.0.1 port {grpc_port}")
        self._set(f"{BACKEND}/{slot} state ready")

    def detach(self, slot: str) -> None:
        """Let a slot stand for nothing; gRPC's server follows, as it tracks this one."""
        self._set(f"{BACKEND}/{slot} state maint")

    def close(self) -> None:
        """Accept no more connections."""
        for backend in self._backends():
            self.ask(f"disable frontend {backend}_in")

    def set_weight(self, slot: str, weight: int) -> None:
        """The weight of a slot, for HTTP and gRPC."""
        for backend in self._backends():
            self._set(f"{backend}/{slot} weight {weight}")

    def servers(self, backend: str = BACKEND) -> dict[str, Server]:
        """The counters of each slot."""
        lines = self.ask(f"show stat {backend} 4 -1").lstrip("# ").splitlines()
        return {row["svname"]: _server(row) for row in csv.DictReader(line for line in lines if line)}

    def totals(self) -> dict[str, Server]:
        """The counters of each slot, HTTP and gRPC together; how many wait, and for how long, is of HTTP alone."""
        found = {
            slot: msgspec.structs.replace(server, http_ended=server.answered + server.failures)
            for slot, server in self.servers().items()
        }
        if GRPC_BACKEND in self._backends():
            for slot, grpc in self.servers(GRPC_BACKEND).items():
                http = found[slot]
                found[slot] = msgspec.structs.replace(
                    http,
                    requests=http.requests + grpc.requests,
                    answered=http.answered + grpc.answered,
                    refused=http.refused + grpc.refused,
                    failures=http.failures + grpc.failures,
                )
        return found

    def wait_until_up(self, slot: str, timeout_s: float) -> None:
        """Wait until a server passes its health check."""
        deadline = time.monotonic() + timeout_s
        while not (server := self.servers()[slot]).is_up:
            if time.monotonic() >= deadline:
                raise RolloutError(
                    f"HAProxy finds {slot} {server.status} after {timeout_s:g} s, though the instance is ready; "
                    "see haproxy/haproxy.log in the rollout's directory"
                )
            time.sleep(POLL_S)

    def wait_until_idle(self, slots: Iterable[str], timeout_s: float) -> bool:
        """Wait until these servers have answered everything, by HTTP and gRPC; return whether they have."""
        deadline = time.monotonic() + timeout_s
        backends = self._backends()
        while any(self.servers(backend)[slot].in_flight for backend in backends for slot in slots):
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)
        return True

    def _backends(self) -> list[str]:
        """The backends of this HAProxy."""
        names = self.ask("show backend").splitlines()
        return [name for name in (BACKEND, GRPC_BACKEND) if name in names]

    def _set(self, change: str) -> None:
        """`set server`: silent, or with a remark on what it did, or an error."""
        answer = self.ask(f"set server {change}")
        if answer and not answer.startswith(("IP changed", "no need to change", "port changed")):
            raise RolloutError(f"HAProxy refuses `set server {change}`: {answer}; run: python -m deploy up")


def _server(row: dict[str, str]) -> Server:
    number = {name: int(text) for name, text in row.items() if text and text.isdecimal()}
    total = number.get
    return Server(
        status=row["status"],
        weight=total("weight", 0),
        in_flight=total("scur", 0),
        requests=total("lbtot", 0),
        answered=sum(total(f"hrsp_{kind}", 0) for kind in ("1xx", "2xx", "3xx", "4xx", "5xx", "other")),
        refused=total("hrsp_4xx", 0),
        # wretr: repeated, after a 5xx as after no answer. The others are those that could not be repeated.
        failures=sum(total(name, 0) for name in ("wretr", "hrsp_5xx", "econ", "eresp")),
        response_ms=total("rtime", 0),
    )
