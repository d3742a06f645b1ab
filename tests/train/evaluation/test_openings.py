"""The count of models that were measured on the same test rows."""

import numpy as np

from train.evaluation.openings import FILE, record
from train.publishing.model_card import attempts

TARGET = np.arange(100) % 3 == 0


def test_each_graph_counts_once_and_other_outcomes_begin_anew(tmp_path):
    assert [record(tmp_path, TARGET, model, "a.yaml") for model in ("aa", "bb", "aa", "cc", "bb")] == [1, 2, 1, 3, 2]
    assert record(tmp_path, ~TARGET, "cc", "a.yaml") == 1
    assert record(tmp_path, TARGET[:-1], "dd", "a.yaml") == 1
    assert len((tmp_path / FILE).read_bytes().splitlines()) == 5


def test_half_a_line_of_a_killed_process_spoils_no_other(tmp_path):
    record(tmp_path, TARGET, "aa", "a.yaml")
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"outcomes": "')
    assert [record(tmp_path, TARGET, model, "a.yaml") for model in ("bb", "aa", "cc")] == [2, 1, 3]


def test_the_card_tells_how_many():
    assert "No other model was measured" in attempts(1)
    assert "This is model 7 that was measured on test rows of these outcomes" in attempts(7)
