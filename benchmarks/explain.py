"""Accuracy, stability and latency of explanations: `python -m benchmarks.explain [tag] [url]`.

Accuracy: compared with Shapley values by definition, over every coalition of features. Stability: compared with other
orders of the features, and other draws of the reference. Latency: in the process; with a `url`, also over one HTTP
connection, and of scoring meanwhile.
"""

import json
import math
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from itertools import combinations
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from configs.model import ModelConfig
from configs.service import read_service
from models.artifact import CONFIG, Artifact
from models.background import Background, log_odds, weights
from models.champion import ALIAS
from models.explanation import Explainer
from models.reasons import MAX_REASONS
from models.request import RequestDecoder
from models.scorer import Scorer
from train.check import check
from train.evaluation.reasons import declined_by_both, reasons_of, retrained
from train.publishing.background import APPLICANTS, background
from train.publishing.store import champion_of_store, stored
from train.split import split_table
from train.tables.table import Table

EXACT, STEADY, TIMED = 6, 60, 300  # applicants
SEEDS = range(2, 6)
RETRAININGS = range(4)  # seeds after that of the model file
CHUNK_ROWS = 1024


def exact(scorer: Scorer, reference: Background, applicant: Struct) -> NDArray[np.float64]:
    """Shapley values `[features]` over all coalitions of the features in which applicant and reference differ."""
    feed = scorer.schema.feed([applicant])
    table = {name: [one[name] for one in reference.applicants] for name in feed}
    start = scorer.schema.feed_columns(table)
    odds = log_odds(scorer.probabilities(start))
    found = np.zeros(len(feed))
    for row, weight in enumerate(weights(odds, reference.base_rate)):
        differing = [i for i, name in enumerate(feed) if start[name][row, 0] != feed[name][0, 0]]
        count = len(differing)
        chosen = (np.arange(2**count)[:, None] >> np.arange(count)) & 1 == 1  # [coalitions, differing]
        columns = {name: np.repeat(column[row : row + 1], 2**count, axis=0) for name, column in start.items()}
        names = list(feed)
        for place, i in enumerate(differing):
            columns[names[i]][chosen[:, place]] = feed[names[i]][0, 0]
        parts = [slice(first, first + CHUNK_ROWS) for first in range(0, 2**count, CHUNK_ROWS)]
        scored = [scorer.probabilities({name: column[part] for name, column in columns.items()}) for part in parts]
        value = log_odds(np.concatenate(scored))
        sizes = chosen.sum(axis=1)
        share = np.array([1 / (count * math.comb(count - 1, size)) for size in range(count)])
        for place, i in enumerate(differing):
            without = np.flatnonzero(~chosen[:, place])
            found[i] += weight * (share[sizes[without]] @ (value[without | 1 << place] - value[without]))
    return found


def contributions(explainer: Explainer, applicants: list[Struct]) -> NDArray[np.float64]:
    """`[applicants, features]` log-odds."""
    explained = [explainer.explain(applicant) for applicant in applicants]
    return np.array([[one.log_odds for one in explanation.contributions] for explanation in explained])


def compared(title: str, found: list[NDArray[np.float64]], expected: NDArray[np.float64]) -> str:
    """A row of the table: the distance of `found` from `expected`, both `[applicants, features]`."""
    best = np.argsort(-expected, axis=1)[:, :MAX_REASONS]
    others = [np.argsort(-one, axis=1)[:, :MAX_REASONS] for one in found]
    away = np.abs(np.stack(found) - expected)
    same = np.mean([[len({*a} & {*b}) / MAX_REASONS for a, b in zip(one, best, strict=True)] for one in others])
    first = np.mean([one[:, 0] == best[:, 0] for one in others])
    order = np.mean([(one == best).all(axis=1) for one in others])
    return f"| {title} | {away.mean():.4f} | {away.max():.3f} | {same:.1%} | {first:.1%} | {order:.1%} |"


def retrainings(artifact: Artifact, table: Table) -> tuple[float, float]:
    """Over pairs of trainings that differ in their seed: declines with the same set of reasons, and the same first.

    The applicants are test rows that every one of the models declines.
    """
    schema = artifact.schema
    config = msgspec.json.decode((artifact.folder / CONFIG).read_bytes(), type=ModelConfig)
    training, test = (table.rows(part) for part in split_table(table, config.split.test, config.split.seed))
    models = [retrained(schema, config, training, seeds) for seeds in RETRAININGS]
    rows = declined_by_both(schema, models, test)
    told = [reasons_of(schema, model, training, rows) for model in models]
    pairs = [pair for one, other in combinations(told, 2) for pair in zip(one, other, strict=True)]
    same = np.mean([set(one) == set(other) for one, other in pairs])
    return float(same), float(np.mean([one[0] == other[0] for one, other in pairs]))


def timed(call: Callable[[Any], object], inputs: list[Any]) -> str:
    """Median and 99th percentile, in milliseconds."""
    taken_ms = []
    for one in inputs:
        started = time.perf_counter()
        call(one)
        taken_ms.append((time.perf_counter() - started) * 1e3)
    p50, p99 = np.percentile(taken_ms, [50, 99])
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"


def over_http(url: str, applicants: list[dict[str, Any]]) -> None:
    """Time the route, and scoring while it is idle and busy."""

    def post(route: str) -> Callable[[dict[str, Any]], object]:
        def ask(applicant: dict[str, Any]) -> object:
            body = json.dumps({"applicants": [applicant]}).encode()
            with urllib.request.urlopen(urllib.request.Request(f"{url}/{route}", body)) as answer:
                return answer.read()

        return ask

    print(f"- over HTTP: {timed(post('explain'), applicants)}")
    print(f"- `/predict` while no one explains: {timed(post('predict'), applicants)}")
    done = threading.Event()

    def keep_busy() -> None:
        while not done.is_set():
            post("explain")(applicants[0])

    busy = threading.Thread(target=keep_busy)
    busy.start()
    print(f"- `/predict` while one caller explains continuously: {timed(post('predict'), applicants)}")
    done.set()
    busy.join()


def main() -> None:
    """Measure the model in the store, and the service at `url` if given."""
    name, _, version = (sys.argv[1] if len(sys.argv) > 1 else read_service().model).partition(":")
    artifact = champion_of_store(name) if version == ALIAS else stored(name, version)
    if artifact is None:
        sys.exit(f"no model {name}:{version} in the BentoML store; run: make train")
    schema, scorer = artifact.schema, artifact.scorer()
    model = (artifact.folder / "model.onnx").read_bytes()
    table = check(schema.dataset, 1)
    names = [feature.name for feature in schema.dataset.features]
    people = [dict(zip(names, row, strict=True)) for row in zip(*(table.columns[name] for name in names), strict=True)]
    rows = RequestDecoder(schema, len(people)).decode(json.dumps({"applicants": people}).encode())
    rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]

    def explainer(reference: Background, seed: int = 1) -> Explainer:
        return Explainer(schema, scorer.probabilities, reference, artifact.tag, seed)

    own = explainer(artifact.background)
    print(f"{artifact.tag}\n")
    measures = "mean difference, log-odds | largest | same top four | same first | same order"
    print(f"| against | {measures} |\n|---|---|---|---|---|---|")
    definition = np.array([exact(scorer, artifact.background, row) for row in rows[:EXACT]])
    print(compared(f"the definition, {EXACT} applicants", [contributions(own, rows[:EXACT])], definition), flush=True)
    steady = contributions(own, rows[:STEADY])
    size = np.abs(steady).mean()
    orders = [contributions(explainer(artifact.background, seed), rows[:STEADY]) for seed in SEEDS]
    print(compared(f"other orders, {STEADY} applicants", orders, steady), flush=True)
    for count in (APPLICANTS // 4, APPLICANTS, APPLICANTS * 2):
        drawn = [background(schema, model, table, count, seed) for seed in SEEDS]
        others = [contributions(explainer(one), rows[:STEADY]) for one in drawn]
        print(compared(f"other references of {count}", others, steady), flush=True)
    kept, first = retrainings(artifact, table)
    print(
        f"\n- retrained with {len(RETRAININGS)} other seeds: {kept:.1%} of declines keep their set of reasons, in pairs"
    )
    print(f"- {first:.1%} keep the first")
    print(f"- a contribution is {size:.2f} log-odds large on average")
    print(f"- in the process: {timed(own.explain, rows[:TIMED])}")
    if len(sys.argv) > 2:
        over_http(sys.argv[2], people[:TIMED])


if __name__ == "__main__":
    main()
