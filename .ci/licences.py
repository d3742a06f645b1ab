"""The licences of what a bento carries, from the installed packages: a page for people, and a check for `make lint`.

`python .ci/licences.py` fails where a licence is not in ALLOWED; `--write docs/licences.md` writes the page. Serving
alone is looked at: what trains or tests is not handed on to anybody.
"""

import argparse
import importlib.metadata
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Words that the statement of a package may be made of. MPL-2.0 binds changed files of the package itself, and none is.
ALLOWED = re.compile(
    r"apache|\bbsd|\bmit\b|\bisc\b|mpl|mozilla public|python software foundation|\bpsf|unlicense|zlib|0bsd|cc0",
    re.IGNORECASE,
)
PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==(\S+)", re.MULTILINE)


def statement(name: str) -> str:
    """The licence of an installed package, in its own words: expression, else classifiers, else the field."""
    stated: dict[str, Any] = dict(importlib.metadata.metadata(name).json)
    if expression := stated.get("license_expression"):
        return str(expression)
    classifiers = [line.rsplit(" :: ", 1)[1] for line in stated.get("classifier", ()) if line.startswith("License ::")]
    if named := [line for line in classifiers if line != "OSI Approved"]:
        return ", ".join(named)
    return (str(stated.get("license", "")).strip().splitlines() or ["not stated"])[0]


def is_allowed(said: str) -> bool:
    """Whether every part of a statement is allowed; of alternatives, one is enough.

    >>> is_allowed("Apache-2.0 OR GPL-3.0-only"), is_allowed("MIT AND GPL-3.0-only"), is_allowed("not stated")
    (True, False, False)
    """
    return all(ALLOWED.search(part) for part in re.split(r" AND |, ", said))


def table(found: dict[str, tuple[str, str]]) -> str:
    """The page."""
    lines = [
        "# Licences",
        "",
        "What a bento and its image carry, from `requirements/serving.txt`, each package with the licence that it",
        "states. `make licences` writes this page; `make lint` fails on a licence that `.ci/licences.py` does not",
        "allow. Our own code is Apache-2.0.",
        "",
        "| package | version | licence |",
        "|---|---|---|",
    ]
    return "\n".join([*lines, *(f"| {name} | {version} | {said} |" for name, (version, said) in found.items())]) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Check every licence, and write the page where that is asked for."""
    parser = argparse.ArgumentParser(prog=".ci/licences.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", type=Path, help="the page to write")
    options = parser.parse_args(arguments)
    pins = PIN.findall((ROOT / "requirements/serving.txt").read_text(encoding="utf-8"))
    found = {name: (version, statement(name)) for name, version in pins}
    wrong = [f"{name}: {said}" for name, (_, said) in found.items() if not is_allowed(said)]
    if wrong:
        print("licences that are not allowed (.ci/licences.py says which are):", *wrong, sep="\n  ", file=sys.stderr)
        return 1
    if options.write:
        options.write.write_text(table(found), encoding="utf-8")
        print(f"{options.write}: {len(found)} packages", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
