"""Known vulnerabilities in the packages of requirements/*.txt, by pip-audit, which asks a service of the network.

Exit code 0: looked, nothing found; 1: could not look; 3: looked, and found. pip-audit itself calls a package that the
service does not know "skipped" and ends with 0, as it does where nothing at all could be looked up, so that is counted
here. Packages that only it does not know (a build of torch with a local version) are named.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ACCEPTED = ROOT / "requirements/accepted_vulnerabilities.txt"
PIP_AUDIT = ROOT / ".venv-checks/bin/pip-audit"
LOOKED, COULD_NOT, FOUND = 0, 1, 3
MOST_UNKNOWN = 0.5  # share of a list that the service may not know


def accepted(text: str) -> list[str]:
    r"""The ids that are accepted; each line has one, and its reason.

    >>> accepted("# id, reason\nPYSEC-2026-1 only on Windows\n")
    ['PYSEC-2026-1']
    """
    return [line.split()[0] for line in text.splitlines() if line.strip() and not line.startswith("#")]


def audit(requirements: Path, ignored: list[str]) -> list[dict[str, Any]]:
    """What pip-audit says of each package of a list; an error is an OSError with its last line."""
    options = [option for name in ignored for option in ("--ignore-vuln", name)]
    done = subprocess.run(
        [
            str(PIP_AUDIT), "--progress-spinner", "off", "--timeout", "15", "--disable-pip", "--no-deps",
            "--format", "json", "--requirement", str(requirements), *options,
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if not done.stdout.startswith("{"):
        raise OSError((done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1][:300])
    found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    return found


def main() -> int:
    """Look at every list; all.txt holds serving.txt, and torch.txt is of the version of torch-cpu.txt."""
    ignored, worst = accepted(ACCEPTED.read_text(encoding="utf-8")), LOOKED
    for requirements in sorted((ROOT / "requirements").glob("*.txt")):
        if requirements.name in ("serving.txt", "torch-cpu.txt", ACCEPTED.name):
            continue
        try:
            packages = audit(requirements, ignored)
        except OSError as error:
            print(f"{requirements.name}: cannot look: {error}", file=sys.stderr)
            return COULD_NOT
        unknown = [package["name"] for package in packages if "skip_reason" in package]
        if len(unknown) > MOST_UNKNOWN * len(packages):
            what = f"{requirements.name}: the service knows {len(packages) - len(unknown)} of {len(packages)} packages"
            print(f"{what}: it cannot be reached from here, so nothing was looked up", file=sys.stderr)
            return COULD_NOT
        wrong = [
            f"{package['name']} {package['version']}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'none'}"
            for package in packages
            for one in package.get("vulns", ())
        ]
        print(
            "\n  ".join([f"{requirements.name}: {len(packages)} packages, {len(wrong)} known vulnerabilities", *wrong])
        )
        if unknown:
            print(f"  not known to the service: {', '.join(unknown)}")
        worst = FOUND if wrong else worst
    if worst == FOUND:
        print(
            f"change requirements/*.in and run make lock, or say in {ACCEPTED.name} why it does not matter",
            file=sys.stderr,
        )
    return worst


if __name__ == "__main__":
    sys.exit(main())
