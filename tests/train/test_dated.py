"""A table with dates, customers, weights and a prior, through the whole pipeline, and then a newer delivery."""

import json

import numpy as np
import pytest

from configs.dataset import read_dataset
from models.artifact import Artifact
from tests.conftest import lenient_gates, run_training
from tests.train import dated
from tests.train.small import SMALL, UNDRAWN
from train.check import check


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder in which the table was trained on; what that said is in `said.txt`."""
    home = tmp_path_factory.mktemp("dated")
    lenient_gates(home)
    (home / "small.yaml").write_text(SMALL)
    (home / "said.txt").write_text(trained(home, dated.rows()))
    return home


def trained(home, rows, **variables):
    done = run_training(home, dated.write(home, rows), "small.yaml", "--gates", "gates.yaml", **variables)
    assert done.returncode == 0, done.stderr
    (home / "tag.txt").write_text(done.stdout.strip())
    return done.stderr


def artifact(home):
    return Artifact(home / "bentoml/models" / (home / "tag.txt").read_text().replace(":", "/"), "make train")


pytestmark = pytest.mark.pipeline


def test_the_newest_rows_are_tested_on_and_no_customer_is_learned_from_twice(place):
    table = check(read_dataset(place / "dated.yaml"), 10)
    part = np.load(place / "var/train/dated/small/split.npy")
    assert table.time[part == 0].max() < table.time[part == 1].min()
    assert not set(table.group[part == 0]) & set(table.group[part == 1])
    assert (part == 2).sum() > 0
    said = " ".join((place / "said.txt").read_text().split())
    assert f"{(part == 0).sum()} to train, 240 to test (from 2023-05-0" in said


def test_card_model_and_graph_speak_of_the_rate_of_the_population(place):
    made = artifact(place)
    described = made.describe()
    assert (described["base_rate"], described["base_rate_of"]) == (dated.PRIOR, "population")
    card = " ".join((made.folder / "model_card.md").read_text().split())
    assert "| base rate | 0.0500, that of the population (`prior`); 0.4008 of the table's rows have the event |" in card
    assert "The probabilities reflect a share of the event of 0.05 among all applicants" in card
    assert "approving everyone 0.5000" in card  # 0.05 at a cost of 10
    assert "Rows count by `counts`" in card
    table = check(read_dataset(place / "dated.yaml"), 10)
    found = made.scorer().probabilities(made.schema.feed_columns(table.columns)).astype(float)
    late, paid = (found[table.target == outcome].mean() for outcome in (1, 0))
    assert dated.PRIOR * late + (1 - dated.PRIOR) * paid == pytest.approx(dated.PRIOR, abs=0.01)


def test_vintages_stand_on_the_card_in_the_report_and_in_a_figure(place):
    card = (artifact(place).folder / "model_card.md").read_text()
    assert "\n## By vintage\n" in card
    assert "| 2022-12 | walk forward |" in card
    assert "| 2023-08 | test part |" in card
    folder = place / "var/train/dated/small"
    assert (folder / "figures/vintages.png").stat().st_size > 1000
    assert [rate["name"] for rate in json.loads((folder / "data_report.json").read_bytes())["vintages"]][:2] == [
        "2022-01",
        "2022-02",
    ]
    evidence = json.loads((folder / "evidence.json").read_bytes())
    assert evidence["calibration_slope"]["low"] < 1 < evidence["calibration_slope"]["high"]


def test_a_table_that_no_date_divides_stops_before_anything_is_fitted(tmp_path):
    rows = dated.rows()
    for number, row in enumerate(rows):
        row["outcome"] = "late" if (number % 10 == 0 and number < 300) or number > 1190 else "paid"
    lenient_gates(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    done = run_training(tmp_path, dated.write(tmp_path, rows), "small.yaml", "--gates", "gates.yaml")
    assert done.returncode == 1
    assert "dated.yaml: source.time: the training part cannot be divided by date into 3 stretches" in done.stderr
    assert "fitting" not in done.stderr


def test_the_champion_is_compared_on_the_newest_rows_of_customers_that_neither_has_learned_from(place):
    known = set(check(read_dataset(place / "dated.yaml"), 10).group.tolist())
    newer = [row | {"customer": f"{row['customer']}n"} for row in dated.rows(400, months=6, seed=1)]
    later = [row | {"applied": f"2024-{row['applied'][5:]}"} for row in newer]
    half = [row | {"customer": row["customer"].removesuffix("n" * (at % 2))} for at, row in enumerate(later)]
    trained(place, dated.rows() + half, **UNDRAWN)
    folder = place / "var/train/dated/small"
    judgement = json.loads((folder / "judgement.json").read_bytes())
    table = check(read_dataset(place / "dated.yaml"), 10)
    part = np.load(folder / "split.npy")
    tested = table.rows(np.flatnonzero(part == 1))
    strangers = [customer for customer in tested.group.tolist() if customer not in known]
    assert len(strangers) <= judgement["comparison"]["rows"] < len(tested.target)
    assert judgement["comparison"]["graph"]["low"] < judgement["comparison"]["graph"]["high"]
