"""Reading YAML: what is refused, and that each refusal says where and what to do."""

import pytest
from msgspec import Struct

from configs.source import ConfigError, read


class Inner(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A nested part."""

    minimum: float | None = None
    words: tuple[str, ...] = ()


class Outer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole file."""

    window_s: int
    parts: tuple[Inner, ...] = ()


class Renamed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file whose key `rows` was called `size`."""

    rows: int


@pytest.fixture
def refused(tmp_path):
    """`refused(text)`: the error that a file of this text gives; it names the file."""

    def refuse(text: str | bytes) -> ConfigError:
        path = tmp_path / "some.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        with pytest.raises(ConfigError) as caught:
            read(path, Outer)
        assert str(caught.value).startswith(f"{path}: ")
        assert caught.value.problem
        assert caught.value.remedy
        return caught.value

    return refuse


def test_words_stay_what_was_typed(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text("window_s: 60\nparts: [{words: [no, yes, 1_000, null, on, 01, 1.0, ~, 2020-01-01, 'x y']}]")
    words = read(path, Outer).parts[0].words
    assert words == ("no", "yes", "1_000", "null", "on", "01", "1.0", "~", "2020-01-01", "x y")


def test_an_unknown_key_is_named_with_the_one_that_was_meant(refused):
    error = refused("windows_s: 60")
    assert (error.key, error.problem, error.remedy) == ("windows_s", "unknown key", "did you mean window_s?")


def test_an_unknown_key_deep_inside_is_named_with_its_place(refused):
    error = refused("window_s: 60\nparts: [{}, {minimun: 3}]")
    assert (error.key, error.remedy) == ("parts[1].minimun", "did you mean minimum?")


def test_an_unknown_key_that_resembles_nothing_is_told_the_known_ones(refused):
    assert refused("window_s: 60\nqqqq: 1").remedy == "remove it; known keys are minimum, parts, window_s, words"


def test_a_missing_key_is_named(refused):
    error = refused("parts: []")
    assert (error.key, error.problem, error.remedy) == ("window_s", "is missing", "add it")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("window_s: soon", "window_s"),
        ("window_s: [60]", "window_s"),
        ("window_s: 60\nparts: 3", "parts"),
        ("window_s: 60\nparts: [{minimum: low}]", "parts[0].minimum"),
        ("window_s: 60\nparts: [{words: {a: b}}]", "parts[0].words"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_at_its_key(refused, text, key):
    error = refused(text)
    assert error.key == key
    assert "Expected" in error.problem


@pytest.mark.parametrize("text", ["window_s: 60\nwindow_s: 61", "window_s: 60\nparts: [{minimum: 1, minimum: 2}]"])
def test_a_key_that_stands_twice_is_refused_with_its_line(refused, text):
    error = refused(text)
    assert error.key.startswith("line ")
    assert "appears twice" in error.problem


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "null"])
def test_an_empty_file_is_told_its_keys(refused, text):
    error = refused(text)
    assert error.remedy == "its keys are window_s, parts"


@pytest.mark.parametrize("text", ["- window_s", "window_s"])
def test_a_file_that_is_no_mapping_is_refused(refused, text):
    assert refused(text).problem == "is not a mapping of keys to values"


@pytest.mark.parametrize(
    "text",
    [
        "window_s: [1",
        "window_s: 'open",
        "a: b: c",
        "window_s: 60\n\tparts: []",
        "window_s: \x07",  # a character that YAML does not know
        "? [window_s, parts]\n: 60",  # a list for a key
        "--- {window_s: 60}\n--- {window_s: 61}",
    ],
)
def test_what_is_no_yaml_is_refused_and_not_a_stack_trace(refused, text):
    refused(text)


def test_a_file_that_is_not_utf8_is_refused(refused):
    assert "UTF-8" in refused(b"window_s: \xff").remedy


@pytest.mark.parametrize("path", ["nowhere.yaml", "."])
def test_a_missing_file_and_a_folder_are_refused(tmp_path, path):
    with pytest.raises(ConfigError, match=r"no such file|cannot be read") as caught:
        read(tmp_path / path, Outer)
    assert str(tmp_path / path) in str(caught.value)


def test_the_environment_wins_over_the_file(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text("window_s: 60")
    assert read(path, Outer, {"SCORER_WINDOW_S": "120", "SCORER_OTHER": "1"}).window_s == 120
    assert read(path, Outer).window_s == 60


def test_a_wrong_value_in_the_environment_is_refused_at_its_variable(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text("window_s: 60")
    with pytest.raises(ConfigError) as caught:
        read(path, Outer, {"SCORER_WINDOW_S": "soon"})
    assert (caught.value.path, caught.value.key) == ("environment", "SCORER_WINDOW_S")


def test_a_renamed_key_still_works_under_its_old_name_and_says_so(tmp_path, caplog):
    path = tmp_path / "some.yaml"
    path.write_text("size: 3\n")
    assert read(path, Renamed, {}, {"size": "rows"}).rows == 3
    assert read(path, Renamed, {"SCORER_SIZE": "4"}, {"size": "rows"}).rows == 4
    assert read(path, Renamed, {"SCORER_SIZE": "4", "SCORER_ROWS": "5"}, {"size": "rows"}).rows == 5
    assert f"{path}: size is now rows" in caplog.text
    assert "SCORER_SIZE: is now SCORER_ROWS" in caplog.text
    with pytest.raises(ConfigError, match="SCORER_SIZE"):
        read(path, Renamed, {"SCORER_SIZE": "many"}, {"size": "rows"})
