"""Batch scoring beside bare ONNX Runtime, ten million rows, and two processes beside one: `python -m benchmarks.batch`.

A generated table of the model's own dataset file, in Parquet, all features, no ids. Rates of one process are by
processor time, measured in turns on one core with ONNX Runtime that is fed with ready arrays, in the calls that suit it
best. Other engines are measured where their environments are there. Exits with 1 if a bound is missed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import numpy as np
import psutil
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow.parquet import ParquetWriter

from batch.job import Job, Part
from batch.part import score_part, scorer_of
from batch.record import NAME, Record
from batch.rows.scorer import CALL_ROWS
from benchmarks.contenders import find
from benchmarks.verdict import Bound, bounds_table
from configs.dataset import Dataset
from models.artifact import Artifact
from models.encoding import category_to_code

FOLDER = Path("var/bench-batch")
ROWS, GROUP_ROWS = 10_000_000, 250_000
ENGINES = {"ray": Path(".venv-ray/bin/python"), "spark": Path(".venv-spark/bin/python")}
TURNS = 5
MB = 1_000_000


def columns(dataset: Dataset, rows: int, rng: np.random.Generator) -> dict[str, pa.Array]:
    """Columns of values that the dataset file allows."""
    made = {}
    for feature in dataset.features:
        if feature.type == "categorical":
            drawn = rng.integers(len(feature.categories), size=rows).astype(np.int32)
            made[feature.name] = pa.DictionaryArray.from_arrays(drawn, pa.array(feature.categories)).dictionary_decode()
            continue
        low = max(feature.lowest, -1e6)
        high = min(feature.highest, low + 1e6)
        whole = rng.integers(int(low), int(high) + 1, size=rows)
        made[feature.name] = pa.array(whole if feature.type == "integer" else rng.uniform(low, high, rows))
    return made


def write_table(dataset: Dataset, rows: int) -> Path:
    """Write the table, group by group."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path, rng = FOLDER / f"{dataset.name}_{rows}.parquet", np.random.default_rng(0)
    writer = None
    for start in range(0, rows, GROUP_ROWS):
        batch = pa.table(columns(dataset, min(GROUP_ROWS, rows - start), rng))
        writer = writer or ParquetWriter(path, batch.schema)
        writer.write_table(batch)
    if writer:
        writer.close()
    return path


def command(artifact: Artifact, table: Path, engine: str, processes: int) -> tuple[dict[str, Any], float]:
    """Score a table by the command; its summary, and the most resident memory that a process had, megabytes."""
    out = FOLDER / f"out-{engine}-{processes}"
    shutil.rmtree(out, ignore_errors=True)
    python = str(ENGINES[engine]) if engine in ENGINES else sys.executable
    asked = ["score", str(table), "--out", str(out), "--model", artifact.tag, "--engine", engine, "--json"]
    environment = os.environ | {"SCORER_DIRECTORY": str(FOLDER / "records")}
    process = subprocess.Popen(
        [python, "-m", "batch", *asked, "--processes", str(processes)],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    most = 0
    while process.poll() is None:
        for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
            try:
                most = max(most, one.memory_info().rss)
            except psutil.Error:
                continue
        time.sleep(0.2)
    said, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{engine}: exit code {process.returncode}")
    summary: dict[str, Any] = json.loads(said)
    return summary, most / MB


def ready_arrays(artifact: Artifact, rows: int) -> dict[str, NDArray[Any]]:
    """The arrays that the network takes, of drawn rows."""
    drawn = columns(artifact.schema.dataset, rows, np.random.default_rng(1))
    codes = [
        np.array([category_to_code(feature)[text] for text in drawn[feature.name].to_pylist()])
        for feature in artifact.schema.categorical
    ]
    numbers = [drawn[feature.name].to_numpy().astype(np.float32) for feature in artifact.schema.numeric]
    feed = {"codes": codes, "numbers": numbers}
    return {name: np.ascontiguousarray(np.stack(columns, axis=1)) for name, columns in feed.items() if columns}


def bare_us(artifact: Artifact, feed: Mapping[str, NDArray[Any]], call_rows: int) -> float:
    """Processor time per row of ONNX Runtime on ready arrays, microseconds."""
    scorer, rows = artifact.encoded_scorer(), len(next(iter(feed.values())))
    parts = [
        {name: values[start : start + call_rows] for name, values in feed.items()}
        for start in range(0, rows, call_rows)
    ]
    scorer.probabilities(parts[0])
    started = time.process_time()
    for part in parts:
        scorer.probabilities(part)
    return (time.process_time() - started) / rows * 1e6


def part_us(job: Job, part: Part) -> float:
    """Processor time per row of a whole part: read, validated, scored, profiled and written; microseconds."""
    scorer_of(job.artifact, job.model, job.digest, job.run, job.started_ms, job.explain)
    (Path(job.out) / f"part-{part.number:05d}.parquet").unlink(missing_ok=True)
    started = time.process_time()
    score_part(job, part)
    return (time.process_time() - started) / part.rows * 1e6


def one_core(artifact: Artifact, record: Record) -> tuple[float, float]:
    """Microseconds per row of a part, and of bare ONNX Runtime in the calls that suit it best; medians of turns."""
    feed = ready_arrays(artifact, 100 * CALL_ROWS)
    sizes = (CALL_ROWS // 2, CALL_ROWS, 2 * CALL_ROWS, 8 * CALL_ROWS)
    bare: dict[int, list[float]] = {size: [] for size in sizes}
    ours = []
    part_us(record.job, record.parts[0])
    for turn in range(TURNS):
        for size in sizes:
            bare[size].append(bare_us(artifact, feed, size))
        ours.append(part_us(record.job, record.parts[turn % len(record.parts)]))
    return median(ours), min(median(taken) for taken in bare.values())


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tag", nargs="?")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    options = parser.parse_args()
    artifact = find(options.tag)
    rows = ROWS // 10 if options.quick else ROWS
    table = write_table(artifact.schema.dataset, rows)
    cores = psutil.cpu_count() or 1
    found = {(engine, count): command(artifact, table, engine, count) for engine, count in _runs()}
    record = msgspec.json.decode((FOLDER / f"out-local-1/{NAME}").read_bytes(), type=Record)
    ours, bare = one_core(artifact, record)
    print(f"{cores} cores, {artifact.tag}, {rows:,} rows\n")
    print("| engine | processes | rows/s | seconds | largest process, MB |\n|---|---|---|---|---|")
    for (engine, count), (summary, most) in found.items():
        print(f"| {engine} | {count} | {summary['rows_per_s']:,.0f} | {summary['seconds']:,.1f} | {most:,.0f} |")
    print(f"\none process: {ours:.2f} us of processor time per row; bare ONNX Runtime: {bare:.2f}\n")
    one, two = found["local", 1], found["local", 2]
    bounds = [
        Bound(what="one core beside ONNX Runtime with ready arrays", value=bare / ours, least=0.5, aim=0.8),
        Bound(
            what="two processes beside one",
            value=one[0]["seconds"] / two[0]["seconds"],
            least=1.8,
            unjudged="" if cores > 1 else "there is one core",
        ),
        Bound(what="resident memory of a process", value=max(one[1], two[1]), least=1000, at_most=True, unit=" MB"),
    ]
    print(bounds_table(bounds))
    shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(any(bound.verdict == "MISSED" for bound in bounds))


def _runs() -> list[tuple[str, int]]:
    return [("local", 1), ("local", 2), *((name, 2) for name, python in ENGINES.items() if python.exists())]


if __name__ == "__main__":
    main()
