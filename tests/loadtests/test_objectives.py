"""The objectives file: what is shipped, and what is refused with a remedy."""

import re

import pytest

from loadtests.mix import CLASSES
from loadtests.objectives import read_slo
from loadtests.problems import LoadTestError
from tests.conftest import ROOT

SHIPPED = ROOT / "loadtests/slo.yaml"
TEXT = SHIPPED.read_text(encoding="utf-8")


def test_the_shipped_file_has_every_class():
    assert list(read_slo(SHIPPED).classes) == list(CLASSES)


def test_the_comments_of_the_shipped_file_name_the_paces_that_there_are():
    for name, rows, pace in re.findall(
        r"^  (\w+):.*?(\d+|one) applicants?, (\d+) requests? per second", TEXT, re.MULTILINE
    ):
        assert (1 if rows == "one" else int(rows), int(pace)) == (CLASSES[name].rows, CLASSES[name].pace_per_s)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    p95_ms: 30", "    p95: 30", "classes.single.p95: unknown key; did you mean p95_ms?"),
        ("soak_growth: 1.5", "", "soak_growth: is missing; add it"),
        ("regression: 1.5", "regression: 0.5", "regression: Expected float > 1.0; give a value of that type and"),
        ("    p50_ms: 5 ", "    p50_ms: fast ", "give a value of that type"),
        ("  single: ", "  triple: ", "classes.triple: no such user class; there are single, batch, v2, grpc, explain"),
        (
            "throughput_floor: 8 ",
            "throughput_floor: 80 ",
            "classes.single.throughput_floor: a user of this",
        ),
        ("    p50_ms: 5 ", "    p50_ms: 500 ", "classes.single: p50_ms <= p95_ms <= p99_ms must hold; swap them"),
        ("regression: 1.5", "regression: 1.5\nregression: 2", "'regression' appears twice"),
        ("classes:", "classes: [", "fix the YAML there"),
    ],
)
def test_a_wrong_file_is_refused_with_key_and_remedy(tmp_path, old, new, said):
    assert old in TEXT
    path = tmp_path / "slo.yaml"
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(LoadTestError) as raised:
        read_slo(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, content):
    path = tmp_path / "slo.yaml"
    path.write_bytes(content)
    with pytest.raises(LoadTestError, match=str(path)):
        read_slo(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(LoadTestError, match="no such file; give another by SLO="):
        read_slo(tmp_path / "none.yaml")
    with pytest.raises(LoadTestError, match="cannot be read"):
        read_slo(tmp_path)
