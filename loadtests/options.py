"""What a run is asked to do: the command line, checked before anything is sent.

Each problem names the variable of `make load` that gives the value.
"""

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from loadtests.problems import LoadTestError
from loadtests.shapes import NAMES

UNITS_S = {"h": 3600, "m": 60, "s": 1, "": 1}
SHORTEST_S, LONGEST_S = 5, 7 * 86400
MOST_USERS, MOST_PROCESSES = 100_000, 64
KEY = "SCORER_LOAD_KEY"


class Options(Struct, frozen=True, kw_only=True):
    """A run.

    Attributes:
        target: URL of the service.
        grpc_target: its `host:port` for gRPC.
        users: at the height of the load; for a breakpoint, at its first step.
        run_s: seconds.
        shape: one of `loadtests.shapes.NAMES`.
        slo: the objectives file.
        dataset: the dataset file of the service, for the rows of its table.
        out: folder that gets a folder per run.
        processes: of locust on this machine; with more than one, a master and so many workers.
        remote: workers on other machines to wait for.
        master_host, master_port: where the master listens for workers.
        key: an API key, or empty.
    """

    target: str
    grpc_target: str
    users: int
    run_s: float
    shape: str
    slo: Path
    dataset: Path
    out: Path
    processes: int
    remote: int
    master_host: str
    master_port: int
    key: str

    @property
    def distributed(self) -> bool:
        """Whether a master and workers do it."""
        return self.processes > 1 or self.remote > 0


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Options:
    """The options of a command line; raises `LoadTestError`."""
    given = _parser().parse_args(arguments)
    target = _url(given.target)
    if given.shape not in NAMES:
        raise LoadTestError(f"SHAPE={given.shape}: no such shape; there are {', '.join(NAMES)}")
    master = given.master_host if given.remote != "0" else "127.0.0.1"
    return Options(
        target=target,
        grpc_target=_address(given.grpc_target or f"{_bracketed(urlsplit(target).hostname or '')}:{given.grpc_port}"),
        users=_whole("USERS", given.users, 1, MOST_USERS),
        run_s=seconds(given.run_time),
        shape=given.shape,
        slo=Path(given.slo),
        dataset=Path(given.dataset),
        out=Path(given.out),
        processes=_whole("PROCESSES", given.processes, 1, MOST_PROCESSES),
        remote=_whole("REMOTE_WORKERS", given.remote, 0, MOST_PROCESSES),
        master_host=master,
        master_port=_whole("MASTER_PORT", given.master_port, 1, 65535),
        key=_key(environment.get(KEY, ""), given.key_file),
    )


def seconds(text: str) -> float:
    """A run time in seconds; raises `LoadTestError`.

    >>> seconds("60s"), seconds("1h30m"), seconds("90")
    (60.0, 5400.0, 90.0)
    """
    parts = re.findall(r"(\d+)([hms]?)", text)
    if (
        not parts
        or "".join(number + unit for number, unit in parts) != text
        or [unit for _, unit in parts[:-1]].count("")
    ):
        raise LoadTestError(f"RUN_TIME={text}: not a time; write it as 60s, 5m or 1h30m")
    total = sum(int(number) * UNITS_S[unit] for number, unit in parts)
    if not SHORTEST_S <= total <= LONGEST_S:
        raise LoadTestError(f"RUN_TIME={text}: must be from {SHORTEST_S}s to {LONGEST_S // 3600}h")
    return float(total)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("make load", description="Put load on a service and judge it.")
    parser.add_argument("--target", default="http://127.0.0.1:3000", help="URL of the service")
    parser.add_argument(
        "--grpc-target", default="", help="its host:port for gRPC; by default that host and --grpc-port"
    )
    parser.add_argument("--grpc-port", default="3001")
    parser.add_argument("--users", default="50")
    parser.add_argument("--run-time", default="60s", help="60s, 5m, 1h30m")
    parser.add_argument("--shape", default="steady", help=", ".join(NAMES))
    parser.add_argument("--slo", default="loadtests/slo.yaml", help="the objectives file")
    parser.add_argument("--dataset", default="configs/datasets/german_credit.yaml", help="whose table gives real rows")
    parser.add_argument("--out", default="var/load")
    parser.add_argument("--processes", default="1", help="of locust here; more than one makes a master and workers")
    parser.add_argument("--remote", default="0", help="workers on other machines to wait for")
    parser.add_argument("--master-host", default="0.0.0.0", help="where the master listens, with remote workers")  # noqa: S104
    parser.add_argument("--master-port", default="5557")
    parser.add_argument("--key-file", default="", help=f"a file that holds an API key; or {KEY} in the environment")
    return parser


def _whole(variable: str, text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"\d{1,9}", text) or not least <= int(text) <= most:
        raise LoadTestError(f"{variable}={text}: must be a whole number from {least} to {most}")
    return int(text)


def _url(text: str) -> str:
    message = f"TARGET={text}: must be a URL with a host and nothing after it, such as http://127.0.0.1:3000"
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number
        valid = False
    if valid and parts.username is None and parts.path in ("", "/") and not (parts.query or parts.fragment):
        return text.rstrip("/")
    if valid and parts.username is not None:  # which is not to be repeated
        raise LoadTestError(f"TARGET: leave name and password out of the URL; a key goes into {KEY} or KEY_FILE")
    raise LoadTestError(message)


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"\d{1,5}", port) or not 0 < int(port) < 65536:
        raise LoadTestError(f"GRPC_TARGET={text}: must be host:port, such as 127.0.0.1:3001")
    return text


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _key(given: str, file: str) -> str:
    """The key of the environment, or of a file."""
    if given and file:
        raise LoadTestError(f"give either {KEY} or KEY_FILE, not both")
    if file:
        try:
            given = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise LoadTestError(f"KEY_FILE={file}: cannot be read ({error})") from None
        if not given:
            raise LoadTestError(f"KEY_FILE={file}: is empty; put the key into it that `serving.access new` printed")
    if not given.isascii() or any(letter.isspace() for letter in given):
        raise LoadTestError(f"{f'KEY_FILE={file}' if file else KEY}: a key is one word of ASCII characters")
    return given
