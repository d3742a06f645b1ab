"""Canaries: fail when a private part of whylogs changes that the compat module uses."""

import ast
import hashlib
import inspect
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
import pytest

from monitoring.profiles.profile import profile_columns
from monitoring.profiles.whylogs_compat import (
    ColumnProfile,
    DatasetProfileView,
    PreprocessedColumn,
    read_sketches,
    serialize,
    sketch_of,
)
from tests.conftest import ROOT

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
WRITTEN_FOR = "1.6.4"


def said_of(view, column):
    return view.get_column(column).to_summary_dict()


def test_whylogs_is_the_version_that_the_compat_module_was_written_for():
    assert version("whylogs") == WRITTEN_FOR


@pytest.mark.parametrize(
    ("part", "digest"),
    [
        (DatasetProfileView._do_write, "cba65cdfae6e2166"),  # `serialize` follows it
        (DatasetProfileView._do_read, "5631c49d5879cada"),  # `read_sketches` follows it
        (ColumnProfile._process_extracted_column, "f71b5ec22427567f"),  # `count_values` calls it
    ],
    ids=["_do_write", "_do_read", "_process_extracted_column"],
)
def test_the_private_parts_of_whylogs_have_not_changed(part, digest):
    """If one fails, read the change, adapt the compat module, and update the digest."""
    assert hashlib.sha256(inspect.getsource(part).encode()).hexdigest()[:16] == digest


def test_a_preprocessed_column_has_the_fields_that_profile_fills():
    column = PreprocessedColumn()
    assert (column.list.strings, column.numpy.floats, column.null_count, column.len) == (None, None, 0, -1)


def test_whylogs_still_needs_the_workarounds_of_its_import():
    script = """
import sys
import numpy as np
before = hasattr(np, "unicode_")
import monitoring.profiles.whylogs_compat
import inspect, whylogs.core.datatypes, whylogs.api.usage_stats
print(before, "np.unicode_" in inspect.getsource(whylogs.core.datatypes))
print(whylogs.api.usage_stats.ANALYTICS_OPT_OUT, whylogs.api.usage_stats._TELEMETRY_DISABLED)
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "False True\nWHYLOGS_NO_ANALYTICS True\n"


def test_only_the_compat_module_imports_whylogs():
    found = set()
    packages = [path.parent for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"]
    for path in [ROOT / "service.py", *(path for package in packages for path in package.rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found |= {path.relative_to(ROOT).as_posix() for name in names if name.split(".")[0].startswith("whylogs")}
    assert found == {"monitoring/profiles/whylogs_compat.py"}


def test_our_bytes_hold_the_same_profile_as_those_of_whylogs():
    view = profile_columns({"age": np.arange(500.0), "purpose": ["car", "tv"] * 250}, "m:1", NOON)
    ours, theirs = (DatasetProfileView.deserialize(content) for content in (serialize(view), view.serialize()))
    assert len(serialize(view)) == len(view.serialize())
    for name in ("age", "purpose"):
        assert repr(sorted(said_of(ours, name).items())) == repr(
            sorted(said_of(theirs, name).items())
        )  # repr, because NaN != NaN
    assert (ours.dataset_timestamp, ours.metadata) == (theirs.dataset_timestamp, theirs.metadata)


def test_sketches_are_those_of_the_view_that_whylogs_reads():
    values = np.random.default_rng(0).normal(size=5000)
    mixed = [None, "car", 7.5, *["tv"] * 9]
    view = profile_columns({"age": values, "mixed": mixed, "empty": [None] * 3}, "m:1", NOON)
    for content in (serialize(view), view.serialize()):
        theirs, ours = DatasetProfileView.deserialize(content), read_sketches(content)
        assert ours.keys() == theirs.get_columns().keys()
        for name, sketch in ours.items():
            expected = sketch_of(theirs.get_column(name))
            assert sketch[:2] == expected[:2]
            assert (sketch.numbers is None) == (expected.numbers is None) == (name == "empty")
            if sketch.numbers is not None:
                levels = np.linspace(0, 1, 101).tolist()
                assert sketch.numbers.get_quantiles(levels) == expected.numbers.get_quantiles(levels)
        assert (ours["mixed"].texts.get_estimate("tv"), ours["mixed"].nulls, ours["mixed"].rows) == (9, 1, 12)


@pytest.mark.parametrize("end", [0, 3, 40, 500, -1])
def test_a_profile_that_ends_early_is_refused(end):
    content = serialize(profile_columns({"age": np.arange(500.0)}, "m:1", NOON))
    with pytest.raises(ValueError, match="whylogs profile"):
        read_sketches(content[:end])


def test_a_reference_profile_has_the_same_bytes_in_every_process():
    script = """
import sys
import numpy as np
from datetime import UTC, datetime
from monitoring.profiles.profile import profile_columns
from monitoring.profiles.whylogs_compat import serialize
columns = {f"c{i}": np.arange(1000) * 1.5 + i for i in range(8)} | {f"s{i}": ["a", "b"] * 500 for i in range(8)}
content = serialize(profile_columns(columns, "m:1", datetime(2026, 11, 21, tzinfo=UTC)))
"""
    here = {}
    exec(script, here)
    done = subprocess.run(
        [sys.executable, "-c", script + "sys.stdout.buffer.write(content)"],
        check=False,
        capture_output=True,
        timeout=60,
    )
    assert done.stdout == here["content"]
