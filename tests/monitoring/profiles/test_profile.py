"""From rows and columns to whylogs profiles."""

from datetime import UTC, datetime

import numpy as np

from monitoring.profiles.profile import Profile, pad_with_nulls, profile_columns, to_columns
from monitoring.profiles.whylogs_compat import DatasetProfileView, serialize
from monitoring.records.lines import LoggedBatch, SentRow

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def logged(sequence, fields, rows):
    """A batch of rows of protocol, probability, decision and values."""
    decided = [(protocol, "a-key", probability, decision) for protocol, probability, decision, _ in rows]
    return LoggedBatch(sequence, NOON, "m:1", "", decided, fields, [SentRow("salt", "r-1", row[3]) for row in rows])


def said_of(view, column):
    return view.get_column(column).to_summary_dict()


def test_strings_numbers_and_nulls_are_counted_separately():
    fields = ["age", "purpose", "savings", "application_id"]
    batches = [
        logged(0, fields, [("http", 0.25, "approve", [40, "car", None, "a"])]),
        logged(1, fields[:2], [("v2", 0.75, "decline", [60.5, "17"])]),
        logged(2, fields[:2], [("grpc", None, "decline", [None, "möbel"])]),
    ]
    profile = Profile("m:1", NOON)
    profile.add(to_columns(batches))
    view = profile.view()
    assert sorted(view.get_columns()) == ["age", "decision", "probability", "purpose", "savings"]
    age, purpose, savings = (said_of(view, name) for name in ("age", "purpose", "savings"))
    assert (age["counts/n"], age["counts/null"], age["types/fractional"]) == (3, 1, 2)
    assert (age["distribution/min"], age["distribution/max"], age["distribution/mean"]) == (40, 60.5, 50.25)
    assert {item.value: item.est for item in purpose["frequent_items/frequent_strings"]} == {
        "car": 1,
        "17": 1,
        "möbel": 1,
    }
    assert (purpose["types/string"], purpose["counts/null"]) == (3, 0)
    assert (savings["counts/n"], savings["counts/null"]) == (3, 3)
    assert said_of(view, "probability")["counts/null"] == 1


def test_batches_of_the_same_fields_have_the_columns_of_any_others():
    fields = ["age", "application_id", "purpose"]
    rows = [
        ("http", 0.25, "approve", [40, "a", "car"]),
        ("http", 0.5, "decline", []),
        ("v2", None, "decline", [3, "b", None]),
    ]
    alike = [logged(number, fields, [row]) for number, row in enumerate(rows)]
    columns = {name: list(values) for name, values in to_columns(alike).items()}
    assert columns == {
        "age": [40, None, 3],
        "purpose": ["car", None, None],
        "probability": [0.25, 0.5, None],
        "decision": ["approve", "decline", "decline"],
    }
    others = [*alike, logged(3, fields[::-1], [("http", 0.1, "decline", ["bus", "c", 5])])]
    mixed = {name: list(values) for name, values in to_columns(others).items()}
    assert {name: values[:3] for name, values in mixed.items()} == columns
    assert (mixed["age"][3], mixed["purpose"][3]) == (5, "bus")


def test_a_column_may_start_all_null_and_have_values_later():
    profile = Profile("m:1", NOON)
    profile.add({"savings": [None, None]})
    profile.add({"savings": ["much"], "income": [1.0]})
    late = DatasetProfileView.deserialize(serialize(profile.view()))
    assert (said_of(late, "savings")["counts/n"], said_of(late, "savings")["types/string"]) == (3, 1)
    null = profile_columns({"income": [None]}, "m:1", NOON)
    merged = null.merge(late)
    assert (said_of(merged, "income")["counts/n"], said_of(merged, "income")["distribution/max"]) == (2, 1)


def test_a_row_without_a_column_counts_as_null_in_every_frame():
    profile = Profile("m:1", NOON)
    profile.add({"decision": ["approve"] * 3})
    profile.add({"decision": ["approve"] * 2, "sex": ["female", None]})
    sex = said_of(pad_with_nulls(profile.view()), "sex")
    assert (sex["counts/n"], sex["counts/null"], sex["types/string"]) == (5, 4, 1)


def test_arrays_and_lists_can_be_profiled():
    columns = {
        "age": np.array([18.0, np.nan, 75.0]),
        "years": np.array([1, 2, 3]),
        "purpose": np.array(["car", "tv", "car"]),
        "savings": np.array(["none", None, "much"], dtype=object),
        "sex": ["female", None, "male"],
    }
    view = profile_columns(columns, "m:1", NOON)
    assert {name: said_of(view, name)["counts/null"] for name in columns} == {
        "age": 1,
        "years": 0,
        "purpose": 0,
        "savings": 1,
        "sex": 1,
    }
    assert (said_of(view, "age")["distribution/min"], said_of(view, "years")["distribution/mean"]) == (18, 2)


def test_time_and_model_survive_serializing_and_merging():
    early, late = (profile_columns({"age": [1.0]}, "m:1", NOON.replace(hour=hour)) for hour in (12, 13))
    merged = DatasetProfileView.deserialize(serialize(early)).merge(DatasetProfileView.deserialize(serialize(late)))
    assert (merged.dataset_timestamp, merged.creation_timestamp) == (NOON, NOON)
    assert merged.metadata == {"model": "m:1"}
