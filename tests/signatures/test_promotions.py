"""The history of champions: whatever is done to it by hand is found, and what training appends is not in doubt."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from signatures.keys import SignatureError
from signatures.promotions import FILE, Promotion, append, check, read

GRAPH = {version: version * 16 for version in ("aaaa", "bbbb", "cccc", "dddd")}


def promotion(number):
    return Promotion(
        action="promote", instead_of="", by="Ana", why=f"reason {number}", at=f"2026-11-2{number}", evidence="run 1"
    )


def new_key(folder, name):
    """A private key, and the file of its public half."""
    key = ec.generate_private_key(ec.SECP256R1())
    path = folder / f"{name}.pub"
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    path.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    return key, path


@pytest.fixture
def keys(tmp_path):
    """Ours, and somebody else's."""
    return new_key(tmp_path, "ours"), new_key(tmp_path, "theirs")


@pytest.fixture
def versions(tmp_path):
    folder = tmp_path / "german_credit"
    folder.mkdir()
    return folder


@pytest.fixture
def signed(versions, keys):
    """A history of four entries, the first of which was made before there was a key."""
    for number, (version, graph) in enumerate(GRAPH.items()):
        append(versions, version, graph, promotion(number), keys[0][0] if number else None)
    return versions


def lines(versions):
    return (versions / FILE).read_bytes().splitlines(keepends=True)


def rewritten(line, **changes):
    """A line with another statement under the old signature."""
    envelope = json.loads(line)
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["predicate"] |= changes
    return (
        json.dumps(envelope | {"payload": base64.b64encode(json.dumps(statement).encode()).decode()}).encode() + b"\n"
    )


def test_what_was_appended_is_read_back_and_the_newest_is_the_champion(signed, keys):
    entries = read(signed)
    assert [(entry.version, entry.model_sha256) for entry in entries] == list(GRAPH.items())
    assert [entry.is_signed for entry in entries] == [False, True, True, True]
    assert [entry.promotion.why for entry in entries] == [f"reason {number}" for number in range(4)]
    check(signed, "dddd", GRAPH["dddd"], keys[0][1])
    check(signed, "dddd", GRAPH["dddd"], None)


def test_appending_changes_nothing_that_was_there(signed, keys):
    before = (signed / FILE).read_bytes()
    append(signed, "aaaa", GRAPH["aaaa"], promotion(5), keys[0][0])
    assert (signed / FILE).read_bytes().startswith(before)


BROKEN = {
    "changed": (lambda found: [found[0], rewritten(found[1], by="Bo"), *found[2:]], "line 3: does not follow"),
    "the first changed": (lambda found: [rewritten(found[0], why="none"), *found[1:]], "line 2: does not follow"),
    "one removed": (lambda found: [found[0], *found[2:]], "line 2: does not follow"),
    "the first removed": (lambda found: found[1:], "line 1: does not follow"),
    "one added": (lambda found: [found[0], found[1], found[1], *found[2:]], "line 3: does not follow"),
    "two swapped": (lambda found: [found[0], found[2], found[1], found[3]], "line 2: does not follow"),
    "not a promotion": (lambda found: [*found, b"{}\n"], "line 5: is not a promotion"),
    "no JSON": (lambda found: [*found, b"\xff\n"], "line 5: is not a promotion"),
    "empty line": (lambda found: [*found, b"\n"], "line 5: is not a promotion"),
}


@pytest.mark.parametrize(("change", "said"), BROKEN.values(), ids=BROKEN)
def test_a_history_that_was_changed_is_named_by_file_and_line_and_gets_no_entry(signed, keys, change, said):
    (signed / FILE).write_bytes(b"".join(change(lines(signed))))
    for key in (keys[0][1], None):
        with pytest.raises(SignatureError, match=f"{FILE}, {said}"):
            check(signed, "dddd", GRAPH["dddd"], key)
    content = (signed / FILE).read_bytes()
    with pytest.raises(SignatureError):
        append(signed, "aaaa", GRAPH["aaaa"], promotion(5), keys[0][0])
    assert (signed / FILE).read_bytes() == content


def test_an_entry_that_somebody_appended_is_not_signed_by_the_key(signed, keys):
    for key in (None, keys[1][0]):
        append(signed, "aaaa", GRAPH["aaaa"], promotion(5), key)
        with pytest.raises(SignatureError, match=f"its newest entry is not signed by the key {keys[0][1]}; promote it"):
            check(signed, "aaaa", GRAPH["aaaa"], keys[0][1])
        check(signed, "aaaa", GRAPH["aaaa"], None)


def test_the_newest_entry_changed_under_its_signature_is_not_signed_by_the_key(signed, keys):
    *before, newest = lines(signed)
    (signed / FILE).write_bytes(b"".join([*before, rewritten(newest, by="Bo")]))
    with pytest.raises(SignatureError, match="its newest entry is not signed"):
        check(signed, "dddd", GRAPH["dddd"], keys[0][1])


@pytest.mark.parametrize("with_key", [True, False])
def test_a_champion_that_was_not_promoted_last_or_has_another_graph_is_named(signed, keys, with_key):
    key = keys[0][1] if with_key else None
    with pytest.raises(SignatureError, match="promotes dddd last, and the champion is cccc"):
        check(signed, "cccc", GRAPH["cccc"], key)
    with pytest.raises(SignatureError, match="promotes another german_credit:dddd"):
        check(signed, "dddd", "0" * 64, key)


def test_entries_cut_off_leave_a_champion_that_was_not_promoted_last(signed, keys):
    (signed / FILE).write_bytes(b"".join(lines(signed)[:-1]))
    with pytest.raises(SignatureError, match="promotes cccc last"):
        check(signed, "dddd", GRAPH["dddd"], keys[0][1])


def test_the_history_of_another_model_is_found(signed, keys, tmp_path):
    other = tmp_path / "another_model"
    other.mkdir()
    (other / FILE).write_bytes((signed / FILE).read_bytes())
    with pytest.raises(SignatureError, match="line 1: is about the model german_credit"):
        check(other, "dddd", GRAPH["dddd"], keys[0][1])


def test_without_a_history_nothing_is_asked_unless_a_key_is(versions, keys):
    check(versions, "aaaa", GRAPH["aaaa"], None)
    with pytest.raises(SignatureError, match=rf"is not signed \(no \S+{FILE}\); promote it again with the key"):
        check(versions, "aaaa", GRAPH["aaaa"], keys[0][1])


def test_an_entry_that_was_being_written_when_the_power_failed_is_none(signed, keys):
    whole = (signed / FILE).read_bytes()
    (signed / FILE).write_bytes(whole + lines(signed)[1][:100])
    check(signed, "dddd", GRAPH["dddd"], keys[0][1])
    append(signed, "aaaa", GRAPH["aaaa"], promotion(5), keys[0][0])
    assert (signed / FILE).read_bytes().startswith(whole)
    check(signed, "aaaa", GRAPH["aaaa"], keys[0][1])
