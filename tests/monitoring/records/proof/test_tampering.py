"""Every way of tampering with segments and with the chain is found, and named."""

import hashlib
import shutil

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitoring.records.commitments import line_hash, take_apart
from monitoring.records.decision_log import DecisionLog
from monitoring.records.lines import framed
from monitoring.records.log_keys import LogKeys
from monitoring.records.proof.chain import Event, append, chain_path, read_chain
from monitoring.records.proof.seal_keys import NO_SEAL_KEYS, SealKeys
from monitoring.records.proof.segment_ends import parse_seal, seal_line, sha256
from monitoring.records.segments import segments
from tests.monitoring.records.proof.conftest import ENCRYPTED, SEAL_KEY, SIGNED, lines_of, verify, why


def refit(line):
    """A changed line with a right checksum."""
    return framed(line[9:-1])


def changed(line):
    """A line in which one character of a value, or of what is encrypted, is another one, with a right checksum."""
    at = -20 if b"aes256gcm" in line[:20] else line.index(b'"purpose"') - 3
    at = line.index(b'"car"') + 1 if b'"car"' in line else at
    return refit(line[:at] + (b"b" if line[at : at + 1] != b"b" else b"d") + line[at + 1 :])


# From the lines of a segment: its head, three lines of rows, its seal.
LINES = {
    "changed": lambda lines: [*lines[:2], changed(lines[2]), *lines[3:]],
    "first changed": lambda lines: [lines[0], changed(lines[1]), *lines[2:]],
    "last changed": lambda lines: [*lines[:3], changed(lines[3]), lines[4]],
    "removed": lambda lines: [*lines[:2], *lines[3:]],
    "first removed": lambda lines: [lines[0], *lines[2:]],
    "last removed": lambda lines: [*lines[:3], lines[4]],
    "swapped": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
    "duplicated": lambda lines: [*lines[:2], *lines[1:]],
    "added after the seal": lambda lines: [*lines, lines[1]],
    "seal twice": lambda lines: [*lines, lines[4]],
    "cut at a line": lambda lines: lines[:3],
    "cut before the seal": lambda lines: lines[:4],
    "cut inside a line": lambda lines: [*lines[:2], lines[2][:30]],
    "cut inside the seal": lambda lines: [*lines[:4], lines[4][:-1]],
    "emptied": lambda lines: [],
    "without a head": lambda lines: lines[1:],
    "only a head": lambda lines: lines[:1],
    "blanked": lambda lines: [*lines[:2], b" " * (len(lines[2]) - 1) + b"\n", *lines[3:]],
}


@pytest.mark.parametrize("what", LINES)
def test_a_line_that_was_tampered_with_is_found(tmp_path, keys, write, what):
    first, segment, last = write(keys, 1), write(keys, 2, 1, 3), write(keys, 1)
    assert why(tmp_path, keys) == {}
    segment.write_bytes(b"".join(LINES[what](lines_of(segment))))
    found = why(tmp_path, keys)
    assert list(found) == [segment.name], found
    assert not {first.name, last.name} & found.keys()


@pytest.mark.parametrize("kind", ["plain in encrypted", "encrypted in plain"])
def test_a_line_of_the_other_kind_is_damage(tmp_path, write, kind):
    plain, encrypted = write(SIGNED, 2), write(ENCRYPTED, 2)
    into, source = (encrypted, plain) if kind == "plain in encrypted" else (plain, encrypted)
    head, _, seal = lines_of(into)
    into.write_bytes(b"".join((head, lines_of(source)[1], seal)))
    assert "not of the kind that the head says" in why(tmp_path, ENCRYPTED)[into.name]


def test_a_removed_segment_is_found_with_its_rows(tmp_path, keys, write):
    write(keys, 1)
    segment = write(keys, 2, 3)
    segment.unlink()
    assert why(tmp_path, keys) == {segment.name: "None: is missing: it was removed (5 rows)\n"}


def test_every_segment_and_the_chain_removed_leaves_what_an_anchor_finds(tmp_path, keys, write):
    segment = write(keys, 2, 3)
    anchor = read_chain(tmp_path)[-1].hash
    assert why(tmp_path, keys, anchor) == {}
    segment.unlink()
    chain_path(tmp_path).unlink()
    assert why(tmp_path, keys) == {}  # as before the first start: nothing here can tell
    assert f"the anchor {anchor} is not in it" in why(tmp_path, keys, anchor)["chain.log"]


def test_a_copy_under_another_name_and_a_renamed_segment_are_found(tmp_path, keys, write):
    segment = write(keys, 2)
    copy = segment.with_name(f"{segment.stem}0.log")
    shutil.copy(segment, copy)
    found = why(tmp_path, keys)
    assert list(found) == [copy.name]
    assert f"is the head of {segment.name}" in found[copy.name]
    assert "is not in chain.log: it was added" in found[copy.name]
    segment.unlink()
    assert "is missing" in why(tmp_path, keys)[segment.name]


def test_the_contents_of_two_segments_swapped_are_found(tmp_path, keys, write):
    first, second = write(keys, 2), write(keys, 3)
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)
    assert set(why(tmp_path, keys)) == {first.name, second.name}


def test_an_older_state_of_a_segment_put_back_is_found(tmp_path, keys, rows):
    log = DecisionLog(tmp_path, 2**26, keys=keys)
    log.append("m:1", rows(2))
    [segment] = segments(tmp_path)
    older = segment.read_bytes()
    log.append("m:1", rows(2))
    log.close()
    segment.write_bytes(older)
    assert "ends without its seal, after 2 of 4 rows: it was cut" in why(tmp_path, keys)[segment.name]


def forged(segment, keys):
    """Write a segment again with another decision, all hashes and its seal right, but no key of the seals."""
    head, *rows, _ = lines_of(segment)
    previous, done, newest = sha256(head[9:-1]), [], parse_seal(lines_of(segment)[-1][9:-1]).seal.newest
    for line in rows:
        chained = take_apart(line[9:-1])
        public = chained.public.replace(b"approve", b"decline")
        at = public.index(b'"previous":"') + 12
        public = public[:at] + previous.encode() + public[at + 64 :]
        chained = chained._replace(public=public)
        previous = chained.hash().hex()
        done.append(framed(chained.joined()))
    seal = msgspec.structs.replace(parse_seal(lines_of(segment)[-1][9:-1]).seal, hash=previous, newest=newest)
    last = seal_line(seal, keys)
    segment.write_bytes(b"".join((head, *done, last)))
    return sha256(last[9:-1])


def test_a_forged_segment_with_right_hashes_and_a_seal_without_the_key_is_found(tmp_path, write):
    segment = write(SIGNED, 2, 3)
    forged(segment, NO_SEAL_KEYS)
    found = why(tmp_path, SIGNED)[segment.name]
    assert "was not written by a holder of the seal's key" in found
    assert "the seal is not signed, though the segment began with a key" in found
    assert "does not end with the seal that chain.log says" in found


def test_a_forged_segment_is_found_by_an_auditor_with_the_public_key_alone(tmp_path, write):
    segment = write(SIGNED, 2, 3)
    public = LogKeys(seals=SealKeys(public=[SEAL_KEY.public_key()]))
    assert why(tmp_path, public) == {}
    forged(segment, SealKeys([Ed25519PrivateKey.generate()]))
    assert "which was not given" in why(tmp_path, public)[segment.name]


def test_a_forged_segment_of_an_unsigned_log_is_found_by_the_chain_and_a_forged_chain_by_an_anchor(tmp_path, write):
    keys = LogKeys()
    segment = write(keys, 2, 3)
    anchor = read_chain(tmp_path)[-1].hash
    seal = forged(segment, NO_SEAL_KEYS)
    assert "does not end with the seal that chain.log says" in why(tmp_path, keys)[segment.name]
    entries = [one.entry for one in read_chain(tmp_path)]
    chain_path(tmp_path).unlink()
    for entry in entries[1:]:
        values = {name: getattr(entry, name) for name in Event.__struct_fields__}
        append(tmp_path, Event(**(values | {"seal": seal} if entry.event == "sealed" else values)), NO_SEAL_KEYS)
    assert why(tmp_path, keys) == {}  # which is what "unsigned" means
    assert "is not in it: it was cut or written anew" in why(tmp_path, keys, anchor)["chain.log"]
    assert "is not signed, though a key is given" in why(tmp_path, SIGNED)["chain.log"]


def test_unsigned_seals_are_said_to_be_unsigned(tmp_path, write):
    write(LogKeys(), 2)
    assert verify(tmp_path, LogKeys()).notes == [
        "1 of 1 segments sealed without a key: whoever can write the files can make such seals"
    ]
    assert verify(tmp_path, LogKeys()).intact


# From the lines of a chain: found, begun, sealed, begun, sealed.
ENTRIES = {
    "changed": lambda lines: [*lines[:2], lines[2].replace(b'"rows":3', b'"rows":4'), *lines[3:]],
    "removed": lambda lines: [*lines[:2], *lines[3:]],
    "first removed": lambda lines: lines[1:],
    "last removed": lambda lines: lines[:-1],
    "two last removed": lambda lines: lines[:-2],
    "swapped": lambda lines: [*lines[:2], lines[3], lines[2], lines[4]],
    "duplicated": lambda lines: [*lines[:3], *lines[2:]],
    "added": lambda lines: [*lines, lines[-1]],
    "garbage": lambda lines: [*lines, b"{}\n"],
    "all removed": lambda lines: [],
}


@pytest.mark.parametrize("what", ENTRIES)
def test_a_chain_that_was_tampered_with_is_found(tmp_path, keys, write, what):
    write(keys, 1, 2)
    last = write(keys, 1)
    path = chain_path(tmp_path)
    anchor = read_chain(tmp_path)[-1].hash
    path.write_bytes(b"".join(ENTRIES[what](lines_of(path))))
    found = why(tmp_path, keys)
    if what == "last removed":  # the entry of the last seal: nothing here can tell it from one not made yet
        assert found == {}
        assert set(why(tmp_path, keys, anchor)) == {"chain.log"}
    elif what == "two last removed":
        assert "is not in chain.log: it was added" in found[last.name]
    else:
        assert "chain.log" in found


def test_a_damaged_entry_is_found_once_however_many_follow(tmp_path, keys, write):
    write(keys, 1)
    path = chain_path(tmp_path)
    path.write_bytes(b"".join([*lines_of(path)[:-1], b"xx\n"]))
    for _ in range(3):
        write(keys, 1)
    broken = [(one.line, one.why) for one in verify(tmp_path, keys).broken]
    assert broken == [(3, "is no entry as it was written")]
    assert [one.entry.number for one in read_chain(tmp_path)[3:]] == [3, 4, 5, 6, 7, 8]


def test_an_entry_without_a_signature_after_signed_ones_is_found(tmp_path, write):
    write(SIGNED, 1)
    append(tmp_path, Event(event="retired", retired=["x.log"]), NO_SEAL_KEYS)
    assert "is not signed, though entries before it are" in why(tmp_path, SIGNED)["chain.log"]


def test_a_segment_retired_by_an_intruder_is_found(tmp_path, write):
    write(SIGNED, 1)
    segment = write(SIGNED, 2)
    segment.unlink()
    append(tmp_path, Event(event="retired", retired=[segment.name]), SealKeys([Ed25519PrivateKey.generate()]))
    assert "which was not given" in why(tmp_path, SIGNED)["chain.log"]


@pytest.mark.parametrize("what", ["segment", "segment with right checksums", "chain"])
def test_every_single_changed_byte_is_found(tmp_path, write, what):
    segment = write(SIGNED, 2, 1)
    path = chain_path(tmp_path) if what == "chain" else segment
    whole = path.read_bytes()
    assert verify(tmp_path, SIGNED).intact
    # Without its line feed, the last entry of the chain is one that is being written.
    for at in range(len(whole) - (what == "chain")):
        content = bytearray(whole)
        content[at] ^= 1
        if what == "segment with right checksums":
            lines = bytes(content).splitlines(keepends=True)
            content = bytearray(b"".join(refit(line) if line[-1:] == b"\n" else line for line in lines))
            if content == whole:  # the change was in the old checksum
                continue
        path.write_bytes(content)
        broken = {one.segment for one in verify(tmp_path, SIGNED, attempts=1).broken}
        assert broken, f"byte {at} of {len(whole)}"


def test_a_hash_is_over_the_bytes_that_stand_in_the_line(write):
    line = take_apart(lines_of(write(SIGNED, 2))[1][9:-1])
    each = [hashlib.sha256(line.fields + row).digest() for row in line.rows]
    assert line.hash() == line_hash(line.public, each) == hashlib.sha256(line.public + b"".join(each)).digest()
