"""`python -m deploy`: rollouts of bentos behind HAProxy.

Owns: arguments, the lock, words on standard error, results on standard output, exit codes: 0 done, 1 could not (nothing
is half-done; the message has the remedy), 3 rolled back. Leaves to others: the commands (rollout).
"""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from configs.rollout import ROLLOUT_YAML, read_rollout
from configs.source import ConfigError
from deploy.rollout import rollout
from deploy.rollout.canary import ASKED
from deploy.rollout.deployment import Deployment
from deploy.rollout.errors import RolloutError
from deploy.rollout.rollout import Result
from deploy.rollout.state import exclusive, holder, is_locked
from deploy.rollout.status import inspect, table

DONE, COULD_NOT, ROLLED_BACK = 0, 1, 3
ASKED_S = 120.0  # a canary that is asked back looks twice a second, and then drains and stops

Command = Callable[[Deployment, argparse.Namespace], Result]


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit code."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: a canary is rolled back
    try:
        config = read_rollout(options.config)
        directory = (options.directory or Path(config.directory)).absolute()
        deployment = Deployment(config, directory, say)
        if options.command == "status":
            return status(deployment, options.json)
        if options.command == "rollback" and (code := ask_canary_back(deployment, options.json)) is not None:
            return code
        with exclusive(directory, options.command):
            deployment.reload()
            result = COMMANDS[options.command](deployment, options)
    except KeyboardInterrupt:
        say("interrupted; the next command finishes or undoes what was begun")
        return COULD_NOT
    except (RolloutError, ConfigError) as error:
        say(str(error))
        return COULD_NOT
    except OSError as error:
        say(f"{error}; free disk space or fix the permissions, and run again: it goes on, or undoes what was begun")
        return COULD_NOT
    return report(result, options.json)


def say(words: str) -> None:
    """Words for people."""
    print(words, file=sys.stderr, flush=True)


def report(result: Result, as_json: bool) -> int:
    """Print how a command ended; return its exit code."""
    if as_json:
        print(rollout.as_json(result).decode())
    elif result.result == "rolled back":
        print(f"rolled back to {result.version}: {result.why}")
    else:
        print(f"{result.version} {'serves' if result.command != 'down' else 'is stopped'}")
    return ROLLED_BACK if result.result == "rolled back" else DONE


def status(deployment: Deployment, as_json: bool) -> int:
    """Print what is deployed; exit code 1 if something is wrong with it."""
    found = inspect(deployment, at_work=is_locked(deployment.directory))
    if as_json:
        print(msgspec.json.encode(found).decode())
    elif text := table(found):
        print(text)
    if found.problem:
        say(found.problem)
    return COULD_NOT if found.problem else DONE


def ask_canary_back(deployment: Deployment, as_json: bool) -> int | None:
    """Where a canary is at work, let it roll back and wait for it; None where there is none, or it had just ended."""
    directory = deployment.directory
    if not (is_locked(directory) and holder(directory).startswith("canary")):
        return None
    canary, before = holder(directory), deployment.state.history
    (directory / ASKED).write_text(canary, encoding="utf-8")
    say(f"asking {canary}, to roll back ...")
    with exclusive(directory, "rollback", wait_s=ASKED_S):
        deployment.reload()
        (directory / ASKED).unlink(missing_ok=True)
        history = deployment.state.history
        ended = history[-1].result if history and history != before else ""
        if deployment.state.operation is not None or ended not in ("rolled back", "undone"):
            return None
        version = deployment.stable.version
    return report(Result(command="rollback", result="done", version=version, why="asked"), as_json)


COMMANDS: dict[str, Command] = {
    "up": lambda deployment, options: rollout.up(
        deployment,
        options.version,
        options.port or deployment.state.port or deployment.config.port,
        _grpc_port(deployment, options),
    ),
    "switch": lambda deployment, options: rollout.switch(deployment, options.version),
    "canary": lambda deployment, options: rollout.canary(deployment, options.version, options.resume),
    "rollback": lambda deployment, _: rollout.rollback(deployment),
    "down": lambda deployment, _: rollout.down(deployment),
}


def _grpc_port(deployment: Deployment, options: argparse.Namespace) -> int:
    """The option, what is deployed, or the file, in this order."""
    if options.grpc_port is not None:
        return int(options.grpc_port)
    return deployment.state.grpc_port if deployment.state.is_up else deployment.config.grpc_port


def _port_from(least: int) -> Callable[[str], int]:
    """The type of an option that is a port, `least` to 65535."""

    def port(text: str) -> int:
        if not (text.isdecimal() and least <= int(text) <= 65_535):
            raise argparse.ArgumentTypeError(f"{text} is no port, {least} to 65535")
        return int(text)

    return port


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy",
        description="Rollouts of bentos behind HAProxy. Exit code 0: done, 1: could not, 3: rolled back.",
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print one JSON document on standard output")
    shared.add_argument(
        "--config", type=Path, default=ROLLOUT_YAML, metavar="FILE", help="default: configs/rollout.yaml"
    )
    shared.add_argument(
        "--directory", type=Path, metavar="DIR", help="of the deployment; default: directory of the file"
    )
    commands = parser.add_subparsers(required=True, metavar="command", dest="command")

    def add(name: str, words: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=words, parents=[shared])

    command = add("up", "start HAProxy and the first instance, or what of them is not running")
    command.add_argument("version", nargs="?", metavar="VERSION", help="of a bento: `latest`, or one of `bentoml list`")
    command.add_argument("--port", type=_port_from(1), metavar="P", help="HTTP; default: port of the file")
    command.add_argument(
        "--grpc-port", type=_port_from(0), metavar="P", help="gRPC, 0 is none; default: grpc_port of the file"
    )
    add("status", "print what is deployed; exit code 1 if something is wrong with it")
    command = add("switch", "replace the version at once (blue-green); with the same version, restart it")
    command.add_argument("version", metavar="VERSION")
    command = add("canary", "replace the version step by step, judged at each step, rolled back by itself")
    command.add_argument("version", nargs="?", metavar="VERSION")
    command.add_argument("--resume", action="store_true", help="go on with a canary whose command was killed")
    add("rollback", "end a running canary, else go back to the version before")
    add("down", "stop HAProxy and the instances; logs and records stay")
    return parser


if __name__ == "__main__":
    sys.exit(main())
