"""`python -m serving.access`: make, revoke and list the API keys of the key file.

Owns: arguments, output, and changing the file's text so that its comments stay. Leaves to others: the form of the file
(`configs.api_keys`). A running service follows it; nothing needs to be restarted.
"""

import argparse
import hashlib
import re
import secrets
import stat
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import msgspec
import yaml

from configs.api_keys import Key, Permission, read_api_keys
from configs.service import read_service
from configs.source import ConfigError

PREFIX = "scorer_"  # so that scanners recognise a key in a repository
KEY_BYTES = 32
FILE_HEADER = "# Who may call: `python -m serving.access` adds and removes entries; running services follow.\n"
REMEDY = "change the file by hand, or give every key lines of its own"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        named = options.file or read_service().keys_file
        return int(options.command(Path(named) if named else None, options))
    except (ConfigError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def new(path: Path | None, options: argparse.Namespace) -> int:
    """Print a new key on standard output; its entry goes into the file or, without a file, to standard error."""
    secret = PREFIX + secrets.token_urlsafe(KEY_BYTES)
    given = {
        "name": options.name,
        "sha256": hashlib.sha256(secret.encode()).hexdigest(),
        "permissions": options.permissions.split(","),
        "requests_per_s": options.requests_per_s,
        "burst": options.burst,
        "rows_per_s": options.rows_per_s,
        "explanations_per_s": options.explanations_per_s,
        "expires": f"{datetime.now(UTC) + timedelta(days=options.days):%Y-%m-%dT%H:%M:%SZ}" if options.days else None,
    }
    try:
        key = msgspec.convert({name: value for name, value in given.items() if value is not None}, Key)
    except msgspec.ValidationError as error:
        raise ConfigError("key", "", str(error).replace("`", ""), "see python -m serving.access new --help") from None
    if path is None:
        print(f"no keys_file is set; put this into one:\n\nkeys:\n{entry(key)}", file=sys.stderr)
    else:
        text = path.read_text(encoding="utf-8") if path.exists() else f"{FILE_HEADER}keys: []\n"
        before = read_api_keys(path) if path.exists() else ()
        _write(path, added(text, key), (*before, key))
        print(f"added the key {key.name} to {path}; it is shown only once:", file=sys.stderr)
    print(secret)
    return 0


def revoke(path: Path | None, options: argparse.Namespace) -> int:
    """Take a key out of the file."""
    path, before = _read(path)
    left = tuple(key for key in before if key.name != options.name)
    if len(left) == len(before):
        raise ConfigError(path, "keys", f"has no key named {options.name!r}", "see python -m serving.access list")
    _write(path, removed(path.read_text(encoding="utf-8"), options.name), left)
    print(f"{options.name} is out of {path}; services that follow the file refuse it within a second", file=sys.stderr)
    return 0


def show(path: Path | None, _: argparse.Namespace) -> int:
    """List the keys."""
    for key in _read(path)[1]:
        rates = [(key.requests_per_s, ""), (key.rows_per_s, " rows"), (key.explanations_per_s, " explanations")]
        rate = ", ".join(f"{per_s:g}{unit}/s" for per_s, unit in rates if per_s) or "no limit"
        until = f"until {key.expires:%Y-%m-%d %H:%M}" if key.expires else "for good"
        expired = " (expired)" if key.expires and key.expires <= datetime.now(UTC) else ""
        print(f"{key.name:20} {','.join(key.permissions):28} {rate:12} {until}{expired}")
    return 0


def entry(key: Key) -> str:
    """A key as the lines of a file.

    >>> print(entry(Key(name="batch", sha256="00" * 32, permissions=("predict", "read"), requests_per_s=50)), end="")
      - name: batch
        sha256: "0000000000000000000000000000000000000000000000000000000000000000"
        permissions: [predict, read]
        requests_per_s: 50
    """
    lines = [f"name: {key.name}", f'sha256: "{key.sha256}"', f"permissions: [{', '.join(key.permissions)}]"]
    if key.requests_per_s is not None:
        lines.append(f"requests_per_s: {key.requests_per_s:.15g}")
    if key.burst is not None:
        lines.append(f"burst: {key.burst}")
    rates = {"rows_per_s": key.rows_per_s, "explanations_per_s": key.explanations_per_s}
    lines += [f"{name}: {per_s:.15g}" for name, per_s in rates.items() if per_s is not None]
    if key.expires:
        lines.append(f"expires: {key.expires:%Y-%m-%dT%H:%M:%SZ}")
    return "  - " + "\n    ".join(lines) + "\n"


def added(text: str, key: Key) -> str:
    """The text of a file with one key more, at its end."""
    text = re.sub(r"^keys: *\[ *\]", "keys:", text, flags=re.MULTILINE)
    return text.rstrip("\n") + "\n" + entry(key)


def removed(text: str, name: str) -> str:
    """The text of a file without the lines of one key."""
    lines = text.splitlines(keepends=True)
    tree: Any = yaml.compose(text, Loader=yaml.BaseLoader)
    for item in tree.value[0][1].value:
        fields = {field.value: value.value for field, value in item.value}
        if fields["name"] == name:
            ends = [value.end_mark for _, value in item.value]
            last = max(end.line if end.column else end.line - 1 for end in ends)
            del lines[item.start_mark.line : last + 1]
    left = "".join(lines)
    return left if re.search(r"^ *- ", left, re.MULTILINE) else re.sub(r"^keys:", "keys: []", left, flags=re.MULTILINE)


def _read(path: Path | None) -> tuple[Path, tuple[Key, ...]]:
    if path is None:
        raise ConfigError("configs/service.yaml", "keys_file", "is empty", "set it, or name a file with --file")
    return path, read_api_keys(path)


def _write(path: Path, text: str, keys: tuple[Key, ...]) -> None:
    """Write `text`, if it means `keys`; in place, so that owner, mode and a mounted file stay what they are.

    A new file is for its owner alone; an old one that others can read is named.
    """
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        draft.write_text(text, encoding="utf-8")
        try:
            meant = read_api_keys(draft)
        except ConfigError as error:
            raise ConfigError(path, error.key, error.problem, error.remedy) from None
    if meant != keys:
        raise ConfigError(path, "keys", "is written in a form that this command cannot change", REMEDY)
    if not path.exists():
        path.touch(0o600)
    elif path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
        print(f"{path} is open to every user of this machine: chmod 600 {path}", file=sys.stderr)
    path.write_text(text, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving.access", description="Who may call the service.")
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser("new", help="make a key; it is printed once, and only its hash is kept")
    command.add_argument("--name", required=True, help="whose it is; stands in the log")
    command.add_argument("--permissions", required=True, metavar="A,B", help=f"of {', '.join(get_args(Permission))}")
    command.add_argument("--requests-per-s", type=float, metavar="N", help="rate over all workers (default: no limit)")
    command.add_argument("--burst", type=int, metavar="N", help="requests at once (default: what a second allows)")
    command.add_argument("--rows-per-s", type=float, metavar="N", help="rows scored, likewise (default: no limit)")
    command.add_argument("--explanations-per-s", type=float, metavar="N", help="rows explained (default: no limit)")
    command.add_argument("--days", type=float, metavar="N", help="until it expires (default: never)")
    command.set_defaults(command=new)
    command = commands.add_parser("revoke", help="take a key out of the file")
    command.add_argument("name")
    command.set_defaults(command=revoke)
    command = commands.add_parser("list", help="who may do what, how often and until when")
    command.set_defaults(command=show)
    for command in commands.choices.values():
        command.add_argument("--file", metavar="PATH", help="the key file (default: keys_file of configs/service.yaml)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
