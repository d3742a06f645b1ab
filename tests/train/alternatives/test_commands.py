"""The commands as a person gives them: search, choose, and the record of it."""

import pytest

from tests.conftest import lenient_gates, run_training
from tests.models.tables import write_hand_made
from tests.train.small import SMALL

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(300)]
WHY = "as cheap, minutes of 3 March"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A table made by hand, a model of twelve steps, and gates that compare groups of ten rows."""
    home = tmp_path_factory.mktemp("alternatives")
    write_hand_made(home)
    (home / "small.yaml").write_text(SMALL.replace("steps: 120", "steps: 12"))
    lenient_gates(home, fairness={"least_approval_ratio": 0, "most_odds_difference": 1, "least_rows": 10})
    return home


def run(home, *command):
    return run_training(home, "hand_made.yaml", "small.yaml", *command, "--gates", "gates.yaml")


def test_a_search_is_printed_a_choice_recorded_and_the_history_tells_it(home):
    assert "there is no search" in run(home, "choose", "a00", "--why", WHY).stderr
    found = run(home, "alternatives", "--within", "0.1")
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("| name | model | approved | cost |")
    assert "| a00 | as it is |" in found.stdout
    assert (home / "var/train/hand_made/small/alternatives.png").exists()
    assert "Nothing has been chosen" in found.stdout
    assert run(home, "history").stdout == ""
    chosen = run(home, "choose", "a00", "--by", "Ana Example", "--why", WHY)
    assert (chosen.returncode, chosen.stdout.split(" is chosen")[0]) == (0, "a00 (as it is)")
    (line,) = run(home, "history").stdout.splitlines()
    assert f"choose    a00 (as it is)  by Ana Example: {WHY}  [not signed; declined" in line


def test_a_share_that_is_none_is_refused(home):
    refused = run(home, "alternatives", "--within", "5")
    assert refused.returncode == 2
    assert "5 is not a share from 0 to 1" in refused.stderr


def test_one_seed_is_nothing_to_compare(home):
    refused = run(home, "stability", "--seeds", "1")
    assert refused.returncode == 1
    assert "--seeds is 1, and two trainings are compared; give at least 2" in refused.stderr
