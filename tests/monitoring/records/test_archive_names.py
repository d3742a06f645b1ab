"""What was logged comes back from the archive, whatever the columns of the table are called."""

import tempfile
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from configs.dataset import ANSWERED, RESERVED, Costs, Dataset, Source, Target
from configs.feature import Feature
from models.schema import Schema
from monitoring.records import archive
from monitoring.records.archive_columns import column_of, feature_of
from monitoring.records.decision_log import DecisionLog
from monitoring.records.lines import Row
from monitoring.records.log_keys import NO_KEYS
from monitoring.records.segments import segments

OURS = ("time", "model", "protocol", "segment", "sequence")
BASE = st.sampled_from(OURS) | st.sampled_from(
    ["income", "a", "a.b", "f0", "Income", "é", "e\u0301", "application_ids"]
)
NAMES = st.builds(lambda times, name: "applicant." * times + name, st.integers(0, 3), BASE) | st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters='"\\'), min_size=1, max_size=12
)
TABLES = st.lists(NAMES.filter(lambda name: name not in (RESERVED, *ANSWERED)), min_size=1, max_size=6, unique=True)


def archived(directory, applicant):
    """Log an applicant, archive its segment and look the decision up there; gives the applicant and the columns."""
    features = tuple(Feature(name=name, type="number") for name in applicant)
    costs = Costs(missed_event=1, false_alarm=1)
    target = Target(column="the outcome of a name too long to be drawn", event="y")
    dataset = Dataset(name="x", source=Source(path="x"), target=target, costs=costs, features=features)
    row = msgspec.convert(applicant | {RESERVED: "A"}, Schema(dataset).row)
    log = DecisionLog(directory, 2**20)
    log.append("x:1", [Row("http", 0.5, "decline", row)])
    log.close()
    (segment,) = segments(directory)
    path = directory / "a.parquet"
    archive.write(path, segment, NO_KEYS, None)
    _, model, found = archive.newest_decision(path, "A", NO_KEYS)
    assert (model, found.protocol, found.probability, found.decision) == ("x:1", "http", 0.5, "decline")
    assert archive.find_rows(path, "A", NO_KEYS) == {(segment.name, 0)}
    archive.write_erased(directory / "erased.parquet", path, "A", NO_KEYS)
    assert archive.newest_decision(directory / "erased.parquet", "A", NO_KEYS) is None
    erased = pq.ParquetFile(directory / "erased.parquet").read().to_pylist()[0]
    assert not {column_of(name) for name in applicant} & {name for name, value in erased.items() if value is not None}
    return found.applicant, pq.ParquetFile(path).schema_arrow.names


@given(TABLES)
@example(["income", "applicant.income"])
@example(["time", "applicant.time", "applicant.applicant.time"])
@example(["segment", "segment.x", "application_id.x"])
@settings(deadline=None, max_examples=60)
def test_an_archived_applicant_has_the_values_that_were_logged_under_the_names_that_were_logged(names):
    applicant = {name: float(number) for number, name in enumerate(names, start=1)}
    with tempfile.TemporaryDirectory() as directory:
        found, _ = archived(Path(directory), applicant)
    assert found == applicant | {RESERVED: "A"}


@given(st.lists(NAMES, unique=True, max_size=20))
def test_no_two_features_share_a_column_and_none_has_one_of_ours(names):
    columns = [column_of(name) for name in names]
    assert len(set(columns)) == len(names)
    assert not {*OURS, RESERVED, *ANSWERED} & set(columns)
    assert [feature_of(column) for column in columns] == names


@pytest.mark.parametrize("name", ["applicant.income", "income", "a.b"])
def test_a_name_that_cannot_be_taken_for_ours_is_the_name_of_its_column(tmp_path, name):
    assert name in archived(tmp_path, {name: 1.0})[1]
