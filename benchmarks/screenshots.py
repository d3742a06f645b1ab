"""The pictures of report, console and dashboards: `python -m benchmarks.screenshots MODEL_FOLDER`.

Makes two weeks of records with drift in them (`demo_records`) in a temporary folder, starts the service on them, opens
both pages in Chromium and writes docs/monitor.png and docs/console.png. Then HAProxy sends the service some minutes of
traffic while Prometheus scrapes both, and the dashboards are drawn to docs/dashboards/. All have few colours, so that
they stay small. Needs Debian's packages chromium, prometheus and haproxy.
"""

import argparse
import datetime as dt
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks import dashboards, demo_records
from benchmarks.peak_traffic import traffic
from benchmarks.watched import NotStartedError, free_port, program, watched
from configs.monitoring import Monitoring, read_monitoring
from models.artifact import Artifact
from monitoring.records.log_keys import NO_KEYS
from monitoring.watch.look import look_once

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
START_S, STOP_S = 90, 60
ROWS, SEED = 12_000, 1
WIDTH = 1200  # pixels
COLORS = 160
TRAFFIC_S, WATCH_EVERY_S = 300, 20


@contextmanager
def service(model: Path, tag: str, home: Path) -> Iterator[int]:
    """A service on the records in `home`; gives its port."""
    models = home / "bentoml/models"
    models.parent.mkdir(parents=True)
    models.symlink_to(model.parents[1])
    port = free_port()
    own = {"BENTOML_HOME": str(home / "bentoml"), "SCORER_DIRECTORY": str(home / "var"), "SCORER_MODEL": tag}
    command = [sys.executable, "-m", "bentoml", "serve", "service:CreditScorer", "--host", "127.0.0.1"]
    with (home / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=ROOT,
            env=os.environ | own | {"SCORER_GRPC_PORT": "0", "SCORER_WATCH_EVERY_S": "0"},
            stdout=log,
            stderr=log,
        )
        try:
            _wait(f"http://127.0.0.1:{port}/readyz", process, home / "serve.log")
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_S)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"the service did not start:\n{log.read_text()[-2000:]}")


def save(picture: bytes, path: Path) -> None:
    """Write a picture with few colours."""
    image = Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
    image.save(path, optimize=True)
    sys.stdout.write(f"{path.relative_to(ROOT)}  {path.stat().st_size:,} bytes\n")


def show_monitor(page: Page, url: str) -> None:
    """The head of the report: what to do, what moved and changed, traffic and scores."""
    page.goto(f"{url}/monitor")
    bottom = page.locator("#traffic").evaluate("element => element.getBoundingClientRect().bottom + scrollY")
    page.set_viewport_size({"width": WIDTH, "height": int(bottom) + 24})
    save(page.screenshot(), DOCS / "monitor.png")


def show_console(page: Page, url: str) -> None:
    """A scored applicant, and what a longer term would do."""
    page.set_viewport_size({"width": WIDTH, "height": 820})
    page.goto(f"{url}/console")
    page.get_by_role("button", name="Score", exact=True).click()
    page.get_by_text("Recorded as").wait_for()
    slider = page.get_by_role("slider").first
    slider.focus()
    slider.press("PageUp")
    slider.press("PageUp")
    page.locator(".what-if").wait_for()
    slider.evaluate("element => element.blur()")
    page.evaluate("scrollTo(0, 0)")
    save(page.screenshot(), DOCS / "console.png")


def show_dashboards(home: Path, port: int, applicants: list[demo_records.Applicant], settings: Monitoring) -> None:
    """Every dashboard after some minutes of traffic."""
    with watched(home, port) as (prometheus, url):
        # This process is the watch: the service's own has only what nobody else wants of the processor.
        traffic(url, applicants, TRAFFIC_S, SEED, WATCH_EVERY_S, lambda: look_once(settings, NO_KEYS))
        arguments = ["--prometheus", prometheus.url, "--minutes", str(TRAFFIC_S / 60)]
        dashboards.main([*arguments, "--kind", "png", "--out", str(home / "dashboards")])
    (DOCS / "dashboards").mkdir(exist_ok=True)
    for path in sorted((home / "dashboards").glob("*.png")):
        save(path.read_bytes(), DOCS / "dashboards" / path.name)


def main() -> int:
    """Make records, serve them, and take the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path, help="folder of the artifact in a BentoML store")
    model = parser.parse_args().model.resolve()
    try:
        browser, _, _ = program("chromium"), program("prometheus"), program("haproxy")
    except NotStartedError as error:
        raise SystemExit(str(error)) from None
    artifact = Artifact(model, retrain="make train")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = msgspec.structs.replace(read_monitoring(), directory=str(home / "var"))
        until = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
        demo_records.write(artifact, settings, ROWS, SEED, until)
        with service(model, artifact.tag, home) as port, sync_playwright() as playwright:
            url = f"http://127.0.0.1:{port}"
            opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            page = opened.new_page(viewport={"width": WIDTH, "height": 900})
            own = os.environ | {"SCORER_DIRECTORY": settings.directory, "BENTOML_HOME": str(home / "bentoml")}
            show_console(page, url)
            subprocess.run([sys.executable, "-m", "monitoring", "report"], cwd=ROOT, env=own, check=True, stdout=2)
            show_monitor(page, url)
            opened.close()
            show_dashboards(home, port, demo_records.table(artifact.schema.dataset), settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
