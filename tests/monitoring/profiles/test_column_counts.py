"""A profile made of columns counts what one made of rows counts."""

from collections import Counter
from datetime import UTC, datetime

import numpy as np

from monitoring.profiles.column_counts import ColumnCounts
from monitoring.profiles.profile import profile_columns
from monitoring.profiles.whylogs_compat import DatasetProfileView, read_sketches, serialize

TIME = datetime(2026, 11, 21, 4, tzinfo=UTC)


def test_columns_and_rows_give_the_same_counts():
    rng = np.random.default_rng(0)
    few, many = rng.integers(0, 5, 900).astype(float), rng.normal(size=900)
    many[::7] = np.nan
    texts = rng.choice(["own", "rent", "x" * 200, ""], 900).tolist()
    texts = [text or None for text in texts]
    columns = {"few": few, "many": many, "texts": texts, "nothing": [None] * 900, "once": ["own", *[None] * 899]}
    counts = ColumnCounts("m:1", TIME)
    for half in (slice(0, 500), slice(500, None)):
        counts.add_numbers("few", few[half])
        counts.add_numbers("many", many[half])
        counts.add_texts("texts", Counter(texts[half]))
        counts.add_texts("nothing", {None: len(few[half])})
        counts.add_texts("once", Counter(columns["once"][half]))
    made, expected = (
        DatasetProfileView.deserialize(serialize(view))
        for view in (counts.view(), profile_columns(columns, "m:1", TIME))
    )
    for name in columns:
        here, there = (view.get_column(name).to_summary_dict() for view in (made, expected))
        same = {key for key in there if not key.startswith("distribution/")}
        assert {key: here[key] for key in same} == {key: there[key] for key in same}, name
        for key in set(there) - same:
            assert np.allclose(float(here[key] or 0), float(there[key] or 0), equal_nan=True, rtol=1e-9), (name, key)
    assert set(made.get_columns()) == set(columns)
    assert read_sketches(serialize(counts.view()))["many"].nulls == int(np.isnan(many).sum())
