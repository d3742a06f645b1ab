"""Time from a fresh clone to the first score, and for a second start: `python3 benchmarks/first_score.py [port]`.

Clones HEAD into a temporary folder and runs `make serve` there with an empty pip cache and an empty BENTOML_HOME;
needs only the standard library. It removes everything at the end.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

LIMIT_S = 1200


def score(url: str) -> None:
    """Score the example of `GET /model`."""
    with urllib.request.urlopen(f"{url}/model", timeout=10) as answer:
        body = json.dumps({"applicants": [json.load(answer)["example"]]}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/predict", body), timeout=10) as answer:
        json.load(answer)


def time_start(clone: Path, environment: dict[str, str], port: int) -> float:
    """Seconds from `make serve` to the first score; stops the service."""
    started = time.perf_counter()
    log = clone.parent / "serve.log"
    with log.open("ab") as output:
        command = ["make", "serve", f"PORT={port}"]
        server = subprocess.Popen(
            command, cwd=clone, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        while time.perf_counter() - started < LIMIT_S:
            if server.poll() is not None:
                sys.exit(log.read_text())
            with contextlib.suppress(OSError):
                score(f"http://127.0.0.1:{port}")
                return time.perf_counter() - started
            time.sleep(0.2)
        sys.exit(f"not ready after {LIMIT_S} s\n{log.read_text()}")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def main() -> None:
    """Time a cold start, a second start, and a cold start with pip's cache."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 3999
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        clone, store = work / "clone", work / "bentoml"
        environment = os.environ | {"BENTOML_HOME": str(store), "PIP_CACHE_DIR": str(work / "pip")}
        subprocess.run(["git", "clone", "--quiet", str(Path(__file__).parents[1]), str(clone)], check=True)
        print(f"fresh clone, nothing cached   {time_start(clone, environment, port):6.1f} s", flush=True)
        print(f"second start                  {time_start(clone, environment, port):6.1f} s", flush=True)
        for made in (clone / ".venv", clone / "var", store):
            shutil.rmtree(made)
        print(f"fresh clone, pip's cache warm {time_start(clone, environment, port):6.1f} s")


if __name__ == "__main__":
    main()
