"""The engine of Ray: Ray Data over the parts of a table, on this machine or in a cluster.

Owns starting or joining a cluster, and one task per part. A task whose worker dies is Ray's to start again, on another
machine where there is one. Rows of the table and scores never pass through Ray, which carries parts and summaries.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from batch.engines.address import check_reachable, hosts_of, is_loopback
from batch.engines.chatter import diverted, log_of
from batch.engines.engine import MOST_ATTEMPTS, PartFailed
from batch.engines.shipment import Shipment, attempt, code_folder, pack, summary_of
from batch.errors import BatchError
from batch.job import Job, Part, PartSummary

# Ray reads them when it is imported: no reports, and how often a task may take its worker with it. One variable more,
# named after the systems where it is the default, has Ray listen on the loopback address alone.
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TASK_MAX_RETRIES": str(MOST_ATTEMPTS - 1),
}
STARTS = 3  # of Ray on this machine, which gives up after 30 s where others are at work
OBJECTS_BYTES = 100 << 20  # of shared memory on one machine, where Ray takes a third of all by itself
BLOCK_BYTES = (
    1 << 20
)  # of a summary at most; Ray Data plans with 128 MiB, for which it finds no room, and runs one task


class RayEngine:
    """Scores with Ray.

    Args:
        processes: at most so many at a time; 0 for as many as there are cores.
        address: `host:port` of a cluster that this machine belongs to; empty for this machine alone.
    """

    def __init__(self, processes: int, address: str) -> None:
        self.processes, self.address = processes, address

    def run(self, job: Job, parts: Sequence[Part]) -> Iterator[PartSummary]:
        """Score the parts."""
        log = log_of("ray")
        with (
            log.open("a", buffering=1) as said,
            redirect_stdout(said),
            _cluster(self.address, self.processes, log) as ray,
        ):
            shipment = ray.put(pack(job))
            items = [{"part": msgspec.json.encode(part)} for part in parts]
            rows = ray.data.from_items(items, override_num_blocks=len(items)).map(
                _score,
                fn_args=(shipment,),
                num_cpus=1,
                compute=ray.data.TaskPoolStrategy(size=self.processes or None),
            )
            try:
                for row in rows.iter_rows():
                    if row["error"]:
                        raise PartFailed(row["error"])
                    yield summary_of(job, row["summary"])
            except ray.exceptions.RayError as error:
                raise PartFailed(_told(str(error), log)) from None


def engine(processes: int, address: str) -> RayEngine:
    """The engine."""
    os.environ.update(ENVIRONMENT)
    if all(is_loopback(host) for host, _ in hosts_of(address)):  # of no address too
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    import ray  # so that an environment without it says so at once
    import ray.data  # noqa: F401

    return RayEngine(processes, address)


def _score(row: Mapping[str, Any], reference: Any) -> dict[str, Any]:
    """One task."""
    import ray

    shipment: Shipment = ray.get(reference)
    summary, error = attempt(shipment, msgspec.json.decode(row["part"], type=Part))
    return {"summary": msgspec.json.encode(summary), "error": error}


@contextmanager
def _cluster(address: str, processes: int, log: Path) -> Iterator[Any]:
    """Ray, started or joined; left at the end, with which it ends what still runs."""
    import ray
    import ray.data

    for name in ("ray", "ray.data"):
        logging.getLogger(name).handlers = [logging.FileHandler(log)]
        logging.getLogger(name).setLevel(logging.INFO)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = BLOCK_BYTES
    with TemporaryDirectory(prefix="credit-scorer-code-") as folder:
        if address:
            check_reachable(address, "Ray", "ray start --head")
            options: dict[str, Any] = {
                "address": address,
                "runtime_env": {"working_dir": str(code_folder(Path(folder)))},
            }
        else:
            cores = processes or len(os.sched_getaffinity(0))
            options = {"address": "local", "num_cpus": cores, "object_store_memory": OBJECTS_BYTES}
            options |= {"include_dashboard": False}
        _start(ray, options, log)
        try:
            if ray.cluster_resources().get("CPU", 0) < 1:
                raise BatchError(
                    f"Ray at {address or 'this machine'} has no CPU; start it with --num-cpus, or add machines"
                )
            yield ray
        finally:
            ray.shutdown()


def _start(ray: Any, options: Mapping[str, Any], log: Path) -> None:
    """Start or join; raises `BatchError` where neither can be done."""
    for left in reversed(range(STARTS)):
        try:
            with diverted(log):
                ray.init(**options, configure_logging=False, log_to_driver=False)
        except Exception as error:  # noqa: BLE001 - Ray raises whatever its parts do, bare Exception too
            ray.shutdown()
            if left and "timed out during startup" in str(error):
                continue
            problem = f"Ray ({options['address']}) cannot be used ({str(error).strip().splitlines()[0]})"
            if "AuthToken" in log.read_text(errors="replace"):
                problem += "; it wants its token: RAY_AUTH_MODE=token"
            raise BatchError(f"{problem}; {log} says more") from None
        else:
            return


def _told(said: str, log: Path) -> str:
    """An error of Ray's in our words."""
    if missing := re.search(r"No module named '([\w.]+)'", said):
        return f"a worker has no package {missing[1]}; install there what requirements/ pins: docs/batch-engines.md"
    if "worker died" in said or "WorkerCrashed" in said or "OutOfMemory" in said:
        how = f"{MOST_ATTEMPTS} workers ended while they scored one part, mostly for want of memory"
        return f"{how}: give a smaller --part-rows (SCORER_PART_ROWS), or fewer --processes; {log} says more"
    return f"Ray gave up ({said.strip().splitlines()[-1]}); {log} says more"
