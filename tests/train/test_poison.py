"""A poisoned table is stopped by the check or gate made for it, on the real pipeline, and the champion stays.

Or the model is not taken in by it, and the card says what the table lacks.
"""

import csv
import random
import shutil

import numpy as np
import pytest
import yaml

from configs.gates import read_gates
from models.artifact import Artifact
from tests.conftest import GERMAN_CREDIT, ROOT, lenient_gates, run_training, workplace
from tests.train.small import UNDRAWN

# The baseline in a fifth of its steps: the good table passes the shipped gates with it as well.
QUICK = """\
network: {members: 8}
training: {learning_rate: 0.05, weight_decay: 0.01, steps: 150, batch_size: 128}
"""
FEWER = {  # shipped and here: a tenth of the time, and what is poisoned shows in fewer too
    "baseline: configs/models/000_baseline.yaml": "baseline: quick.yaml",
    "bootstrap: 1000 ": "bootstrap: 100 ",
    "folds: 5 ": "folds: 2 ",
    "repeats: 2 ": "repeats: 1 ",
}
DELINQUENCIES = """\
  - {name: delinquencies, type: integer, minimum: 0, maximum: 20}
"""
SPOILT = """\
  - name: collections
    type: categorical
    categories: [visited, not_visited]
"""


@pytest.fixture(scope="module")
def champion(tmp_path_factory):
    """A store with a champion, trained on the good table; its recipe takes little time to fit again."""
    home = workplace(tmp_path_factory.mktemp("champion"))
    (home / "quick.yaml").write_text(QUICK)
    done = run_training(home, GERMAN_CREDIT, "quick.yaml", "--gates", shipped_gates(home).name, **UNDRAWN)
    assert done.returncode == 0, done.stderr
    return home / "bentoml/models"


@pytest.fixture
def home(champion, tmp_path):
    """A place with such a store."""
    shutil.copytree(champion, tmp_path / "bentoml/models")
    return tmp_path


@pytest.fixture
def rows():
    with (ROOT / "data/german_credit.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def contents(store):
    return {path.relative_to(store): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def trained_on(home, rows, more="", text="", gates=None):
    """What came of training on the rows, with `more` features, by the shipped gates or the `gates` file."""
    table, dataset = home / "poisoned.csv", home / "german_credit.yaml"
    (home / "quick.yaml").write_text(QUICK)
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    text = text or (ROOT / "configs/datasets/german_credit.yaml").read_text()
    dataset.write_text(text.replace("data/german_credit.csv", str(table)).replace("features:\n", f"features:\n{more}"))
    return run_training(home, dataset, "quick.yaml", "--gates", (gates or shipped_gates(home)).name, **UNDRAWN)


def shipped_gates(home):
    """The shipped gates, with fewer folds and the baseline of `QUICK`."""
    gates = (ROOT / "configs/gates.yaml").read_text()
    for shipped, fewer in FEWER.items():
        assert gates.count(shipped) == 1
        gates = gates.replace(shipped, fewer)
    (home / "gates.yaml").write_text(gates)
    return home / "gates.yaml"


def stopped(home, rows, more="", text=""):
    """What training said when it stopped; the store is as before."""
    before = contents(home / "bentoml/models")
    done = trained_on(home, rows, more, text)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert contents(home / "bentoml/models") == before
    return done.stderr


WITH_AUDIT = (ROOT / "configs/datasets/german_credit.yaml").read_text()
WITHOUT_AUDIT = WITH_AUDIT.partition("audit:")[0]


@pytest.mark.parametrize("text", [WITH_AUDIT, WITHOUT_AUDIT], ids=["with an audit", "without"])
def test_labels_flipped_for_one_group(home, rows, text):
    audit = next(
        audit
        for audit in yaml.safe_load((ROOT / "configs/datasets/german_credit.yaml").read_text())["audit"]
        if audit["column"] == "personal_status_sex"
    )
    women = audit["groups"]["female"]
    for row in rows:
        if row["personal_status_sex"] in women:
            row["credit_risk"] = {"good": "bad", "bad": "good"}[row["credit_risk"]]
    said = stopped(home, rows, text=text)
    assert "approval ratio, personal_status_sex: 0" in said.split("so nothing was published")[1]


def test_a_fifth_of_the_labels_flipped_at_random_without_an_audit_too(home, rows):
    """The model costs as much as declining everyone, and cannot show that it does not."""
    for row in random.Random(0).sample(rows, 200):
        row["credit_risk"] = {"good": "bad", "bad": "good"}[row["credit_risk"]]
    refused = " ".join(stopped(home, rows, text=WITHOUT_AUDIT).split()).split("so nothing was published")[1]
    saving = "saving against one decision for all"
    assert f"{saving}: " in refused
    assert f"{saving}, on the test part: " in refused
    assert "check the costs and the outcomes, or add rows" in refused


def test_a_column_that_knows_the_outcome(home, rows):
    for number, row in enumerate(rows):
        knows = number % 50  # all but two in a hundred
        row["collections"] = "visited" if (row["credit_risk"] == "bad") == bool(knows) else "not_visited"
    said = " ".join(stopped(home, rows, SPOILT).split())
    assert "column 'collections': column ROC AUC 0.9" in said
    assert "it is 'credit_risk' in other words" in said


def test_a_column_that_is_written_after_the_outcome(home, rows):
    """A lawyer's letter to a seventh of the bad ones: too few for ROC AUC or information value to rise."""
    for number, row in enumerate(rows):
        row["collections"] = "visited" if row["credit_risk"] == "bad" and number % 7 == 0 else "not_visited"
    said = " ".join(stopped(home, rows, SPOILT).split())
    assert "column 'collections': column with one outcome 1, at most 0.99 is allowed; of the" in said
    assert "rows with 'visited'" in said


def test_customers_who_stand_on_both_sides_of_the_split(home, rows):
    """The same customers a month later, with another amount: no row repeats another in full."""
    later = [{**row, "credit_amount": str(int(row["credit_amount"]) + 7)} for row in rows[:40]]
    said = " ".join(stopped(home, rows + later).split())
    assert "test rows with a twin in training: 0.0" in said.split("so nothing was published")[1]
    assert "keep one row of each applicant, such as row" in said


def test_such_customers_are_no_poison_where_the_dataset_file_names_them(home, rows):
    """They stand on one side of every split, so the same bound holds."""
    named = [{**row, "customer": str(number)} for number, row in enumerate(rows)]
    later = [{**row, "credit_amount": str(int(row["credit_amount"]) + 7)} for row in named[:200]]
    leak = yaml.safe_load(shipped_gates(home).read_text())["leak"]
    gates = lenient_gates(home, leak=leak | {"most_column_information_value": 100}, baseline="quick.yaml")
    text = WITHOUT_AUDIT.replace("source:\n", "source:\n  group: customer\n")
    done = trained_on(home, named + later, text=text, gates=gates)
    assert done.returncode == 0, done.stderr
    (split,) = home.glob("var/train/german_credit/*/split.npy")
    in_test = np.load(split)
    assert in_test[:200].tolist() == in_test[1000:].tolist()
    assert 0.15 < in_test.mean() < 0.25


def test_half_of_the_bads_are_coded_as_good(home, rows):
    for row in [row for row in rows if row["credit_risk"] == "bad"][::2]:
        row["credit_risk"] = "good"
    said = " ".join(stopped(home, rows).split())
    assert "column 'credit_risk': 15.0% of the rows have the event 'bad', 30.0% of those that the champion was" in said
    assert "look for another coding of the outcomes" in said


def test_half_of_the_bads_are_spelled_otherwise(home, rows):
    for row in [row for row in rows if row["credit_risk"] == "bad"][::2]:
        row["credit_risk"] = "Bad"
    assert "'Bad' in 150 rows" in stopped(home, rows)


def test_a_table_drawn_by_outcome(home, rows):
    """As many bads as goods: every probability would be twice what it is."""
    goods = [row for row in rows if row["credit_risk"] == "good"]
    said = " ".join(stopped(home, [row for row in rows if row["credit_risk"] == "bad"] + goods[:300]).split())
    assert "50.0% of the rows have the event 'bad', 30.0% of those that the champion was trained on" in said
    assert "for rows drawn by outcome (set prior)" in said


def test_the_newest_applicants_have_had_no_time_to_default(home, rows):
    dated = [{**row, "applied": f"2024-{number // 100 + 1:02}-01"} for number, row in enumerate(rows)]
    for row in dated[900:]:
        row["credit_risk"] = "good"
    text = WITHOUT_AUDIT.replace("source:\n", "source:\n  time: applied\n")
    said = " ".join(stopped(home, dated, text=text).split())
    assert "set target.mature_after_days" in said


def test_rows_that_were_delivered_twice(home, rows):
    said = stopped(home, rows + rows[:300])
    assert "1002 (as line 2)" in said


def test_amounts_in_another_currency(home, rows):
    for row in rows:
        row["credit_amount"] = str(min(round(int(row["credit_amount"]) * 1.5), 100_000))
    said = stopped(home, rows)
    assert "credit_amount" in said
    assert "PSI" in said


def test_counts_that_end_below_the_limit(home, rows):
    for number, row in enumerate(rows):
        count, other = number % 6, number // 7 % 6  # of 20 that are allowed
        row["delinquencies"] = max(count, other) if row["credit_risk"] == "bad" else count
    # That column alone is poisoned, so the gates on the rest of the table are lenient.
    gates = lenient_gates(home, most_departure=read_gates().most_departure, baseline="quick.yaml")
    done = trained_on(home, rows, DELINQUENCIES, gates=gates)
    assert done.returncode == 0, done.stderr
    artifact = Artifact(home / "bentoml/models" / done.stdout.strip().replace(":", "/"), "make train")
    assert "| `delinquencies` | above 5 | 0.0000 |" in (artifact.folder / "model_card.md").read_text()
    applicant = {name: [value] for name, value in rows[0].items()} | {"duration_months": [24], "credit_amount": [3000]}
    found = []
    for count in (0, 5, 6, 8, 20):
        feed = artifact.schema.feed_columns(applicant | {"delinquencies": [count]})
        found.append(artifact.scorer().probabilities(feed).item())
    assert found[0] < found[1] == found[2] == found[3] == found[4]  # a worse applicant never scores better
