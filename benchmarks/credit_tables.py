"""Generated credit tables of any size, with their dataset files: `python -m benchmarks.credit_tables`.

For the question how a recipe fares from a thousand rows to a million. What decides about the outcome is known here, and
is what credit tables are found to have: effects that saturate, a step, a valley, ratios of two columns, an effect that
depends on a category, values that are missing for a reason. Half of the columns say nothing, and much is chance. The
rows of a smaller table are the first ones of a larger one.
"""

import argparse
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from configs.dataset import Dataset, Source, Target
from configs.feature import Feature
from configs.policy import Costs

FOLDER = Path("var/tables")
BATCH_ROWS = 50_000
KINDS = tuple(f"kind {number}" for number in range(8))
PLACES = tuple(f"place {number}" for number in range(30))
BASE = -3.3  # log-odds that leave 15% events

Column = NDArray[Any]


def dataset(rows: int) -> Dataset:
    """The dataset file of a generated table."""

    def number(name: str, description: str, **more: Any) -> Feature:
        return Feature(name=name, type="number", description=description, minimum=0, **more)

    def count(name: str, description: str, maximum: int, **more: Any) -> Feature:
        return Feature(name=name, type="integer", description=description, minimum=0, maximum=maximum, **more)

    return Dataset(
        name=f"generated_{rows}",
        description=f"{rows:,} generated credits: benchmarks/credit_tables.py",
        source=Source(path=str(FOLDER / f"generated_{rows}.parquet"), license="CC0-1.0", citation="generated"),
        target=Target(column="defaulted", event="yes"),
        costs=Costs(missed_event=8, false_alarm=1),
        features=(
            number("income", "income a year", nullable=True),
            number("amount", "amount of the credit"),
            count("months", "term", 120),
            number("utilisation", "share used of the limits"),
            count("arrears", "payments missed before", 50),
            count("inquiries", "inquiries of others", 50),
            number("account_age", "years since the oldest account", nullable=True),
            Feature(name="kind", type="categorical", categories=KINDS, description="what the credit is for"),
            Feature(name="place", type="categorical", categories=PLACES, description="where the applicant lives"),
            Feature(name="owner", type="categorical", categories=("no", "yes"), description="owns a home"),
            *(number(f"noise_{index}", "says nothing") for index in range(6)),
            *(count(f"count_{index}", "says nothing", 20) for index in range(4)),
        ),
    )


def columns(rows: int, batch: int, seed: int) -> dict[str, Column]:
    """The columns of one batch of `rows` rows, and the outcome; the effects depend on `seed` alone."""
    fixed, drawn = np.random.default_rng(seed), np.random.default_rng([seed, batch])
    of_kind, of_place = fixed.normal(0, 0.4, len(KINDS)), fixed.normal(0, 0.3, len(PLACES))
    income = drawn.lognormal(10.4, 0.6, rows)
    amount = drawn.lognormal(8.8, 0.8, rows)
    months = drawn.choice([12, 24, 36, 48, 60, 84], size=rows)
    utilisation = drawn.beta(1.2, 1.8, rows)
    arrears, inquiries = drawn.negative_binomial(0.5, 0.5, rows), drawn.poisson(1.5, rows)
    account_age = drawn.gamma(3, 3, rows)
    kind, place = drawn.integers(len(KINDS), size=rows), drawn.integers(len(PLACES), size=rows)
    owner = drawn.random(rows) < 0.4
    burden = amount * 12 / months / income  # a ratio of three columns
    logit = BASE + of_kind[kind] + of_place[place]
    logit += 1.6 * np.tanh(2 * burden) + 0.5 * np.minimum(arrears, 4) + 0.12 * inquiries
    logit += 0.9 * (utilisation > 0.8) + 1.2 * utilisation * (1 - owner)  # a step, and one that depends on a category
    logit += 0.04 * np.abs(account_age - 9) - 0.5 * np.log(income / 3e4) * (kind < 4)  # a valley, and half the kinds
    unknown_income = drawn.random(rows) < np.where(burden > 0.5, 0.15, 0.03)  # missing where it would have been bad
    unknown_age = drawn.random(rows) < 0.1
    happened = drawn.random(rows) < 1 / (1 + np.exp(-logit))
    made: dict[str, Column] = {
        "income": np.where(unknown_income, np.nan, income.round(0)),
        "amount": amount.round(0),
        "months": months,
        "utilisation": utilisation.round(4),
        "arrears": np.minimum(arrears, 50),
        "inquiries": np.minimum(inquiries, 50),
        "account_age": np.where(unknown_age, np.nan, account_age.round(2)),
        "kind": np.array(KINDS, dtype=object)[kind],
        "place": np.array(PLACES, dtype=object)[place],
        "owner": np.where(owner, "yes", "no"),
    }
    made |= {f"noise_{index}": drawn.lognormal(0, 1, rows).round(4) for index in range(6)}
    made |= {f"count_{index}": drawn.integers(21, size=rows) for index in range(4)}
    return made | {"defaulted": np.where(happened, "yes", "no")}


def write(rows: int, seed: int) -> Path:
    """Write a table and its dataset file, and return the latter."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    made = dataset(rows)
    FOLDER.mkdir(parents=True, exist_ok=True)
    parts = [pa.table(columns(BATCH_ROWS, batch, seed)) for batch in range(1)]
    with ParquetWriter(made.source.path, parts[0].schema) as file:
        for batch, start in enumerate(range(0, rows, BATCH_ROWS)):
            whole = pa.table(
                {name: pa.array(values, from_pandas=True) for name, values in columns(BATCH_ROWS, batch, seed).items()}
            )
            file.write_table(whole.slice(0, min(BATCH_ROWS, rows - start)))
    path = FOLDER / f"{made.name}.yaml"
    path.write_bytes(msgspec.yaml.encode(made))
    return path


def main() -> None:
    """Write a table for each number of rows, and print its dataset file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="1000 10000 100000 1000000", help="of each table, with spaces between them")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for rows in options.rows.split():
        print(write(int(rows), options.seed))


if __name__ == "__main__":
    main()
