"""Records stay intact through everything that happens to them in order: kills, erasure, compaction, retention, keys."""

import fcntl
import os
import shutil
import signal
import time
from datetime import UTC, datetime

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitoring.profiles.profiler import catch_up
from monitoring.records import erasure_journal
from monitoring.records.compaction import compact
from monitoring.records.decision_log import DecisionLog
from monitoring.records.erasure import erase, prepare
from monitoring.records.erasure_journal import DamagedRecord, Edit, Journal, UnknownJournal
from monitoring.records.lines import Batch, framed
from monitoring.records.log_keys import LogKeys
from monitoring.records.proof import verification
from monitoring.records.proof.chain import Event, append, read_chain
from monitoring.records.proof.seal_keys import NO_SEAL_KEYS, SealKeys
from monitoring.records.proof.segment_ends import parse_seal
from monitoring.records.proof.segment_proof import SegmentProof
from monitoring.records.retention import retain
from monitoring.records.segments import archives, segment_path, segments
from monitoring.records.upkeep import UnsignedCommand, Upkeep, exclusive_upkeep
from tests.monitoring.records.proof.conftest import ENCRYPTED, SEAL_KEY, SEALS, SIGNED, lines_of, verify, why


def seal_of(segment):
    """The seal at the end of a segment; None if there is none."""
    return parse_seal(lines_of(segment)[-1][9:-1])


@pytest.fixture
def killed(tmp_path, rows, fork):
    """`killed(keys, tail)` leaves the segment of a writer that was killed, with a torn line; returns its path."""

    def killed(keys, tail=b"12345678 torn"):
        before = set(segments(tmp_path))

        def work():
            log = DecisionLog(tmp_path, 2**26, keys=keys)
            log.append("m:1", rows(3))
            log.append("m:1", rows(2))
            (tmp_path / "written").touch()
            time.sleep(60)

        child = fork(work)
        while not (tmp_path / "written").exists():
            time.sleep(0.01)
        assert verify(tmp_path, keys).intact
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        (tmp_path / "written").unlink()
        [segment] = set(segments(tmp_path)) - before
        with segment.open("ab") as file:
            file.write(tail)
        return segment

    return killed


def test_an_open_segment_is_verified_as_far_as_it_goes(tmp_path, keys, rows):
    log = DecisionLog(tmp_path, 2**26, keys=keys)
    assert verify(tmp_path, keys).intact
    for number in range(3):
        log.append("m:1", rows(number + 1))
        seen = verify(tmp_path, keys)
        assert (seen.intact, seen.rows) == (True, (number + 1) * (number + 2) // 2)
    assert "1 of 1 segments not sealed yet: the lines so far fit together" in seen.notes
    [segment] = segments(tmp_path)
    head, first, second, third = lines_of(segment)
    segment.write_bytes(b"".join((head, second, first, third)))
    assert segment.name in why(tmp_path, keys)


def test_two_writers_form_one_chain(tmp_path, keys, rows):
    logs = [DecisionLog(tmp_path, 1000, keys=keys) for _ in range(2)]
    for number in range(20):
        logs[number % 2].append("m:1", rows(2, number))
    for log in logs:
        log.close()
    seen = verify(tmp_path, keys)
    assert (seen.intact, seen.segments, seen.rows) == (True, len(segments(tmp_path)), 40)
    assert len(segments(tmp_path)) > 6


def test_the_segment_of_a_killed_writer_is_sealed_by_upkeep_in_the_place_of_its_torn_line(tmp_path, keys, killed):
    segment = killed(keys)
    before = segment.stat().st_mtime_ns
    assert verify(tmp_path, keys).intact
    Upkeep(tmp_path, 0, keys).run()
    assert (seal_of(segment).seal.rows, seal_of(segment).seal.torn_bytes) == (5, 13)
    assert segment.stat().st_mtime_ns == before
    assert read_chain(tmp_path)[-1].entry.seal == seal_of(segment).hash
    assert verify(tmp_path, keys).intact
    content = segment.read_bytes()
    Upkeep(tmp_path, 0, keys).run()
    assert segment.read_bytes() == content


def test_a_writer_that_is_killed_before_its_first_batch_leaves_nothing_to_miss(tmp_path, keys, write, fork):
    segment = write(keys, 2)

    def work():
        DecisionLog(tmp_path, 2**26, keys=keys)
        (tmp_path / "opened").touch()
        time.sleep(60)

    child = fork(work)
    while not (tmp_path / "opened").exists():
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    [empty] = set(segments(tmp_path)) - {segment}
    assert empty.stat().st_size == 0
    Upkeep(tmp_path, 0, keys).run()
    empty.unlink()
    assert verify(tmp_path, keys).broken == []
    assert empty.name not in (tmp_path / "chain.log").read_text()


@pytest.mark.parametrize("left", [0, 1, 100])
def test_a_seal_that_was_interrupted_is_made_again(tmp_path, keys, write, left):
    segment = write(keys, 2, 1)
    *lines, seal = lines_of(segment)
    segment.write_bytes(b"".join(lines) + seal[:left])
    chain = tmp_path / "chain.log"
    chain.write_bytes(b"".join(lines_of(chain)[:-1]))
    assert verify(tmp_path, keys).intact
    Upkeep(tmp_path, 0, keys).run()
    assert seal_of(segment).seal.rows == 3
    assert verify(tmp_path, keys).intact


def test_a_seal_whose_entry_is_missing_gets_it(tmp_path, keys, write):
    write(keys, 2)
    chain = tmp_path / "chain.log"
    whole = chain.read_bytes()
    chain.write_bytes(b"".join(lines_of(chain)[:-1]) + b'{"torn')
    Upkeep(tmp_path, 0, keys).run()
    assert len(lines_of(chain)) == whole.count(b"\n")
    assert verify(tmp_path, keys).intact


def test_upkeep_seals_nothing_that_was_tampered_with(tmp_path, killed, caplog):
    segment = killed(SIGNED, b"")
    head, first, second = lines_of(segment)
    forged = framed(second[9:-1].replace(b'"http"', b'"grpc"'))
    segment.write_bytes(b"".join((head, first, forged)))
    upkeep = Upkeep(tmp_path, 0, SIGNED)
    upkeep.run()
    upkeep.run()
    assert seal_of(segment) is None
    assert caplog.text.count("is not sealed, because it is broken") == 1
    assert "was not written by a holder of the seal's key" in why(tmp_path, SIGNED)[segment.name]


def test_upkeep_seals_nothing_of_a_key_that_it_has_not(tmp_path, killed, caplog):
    segment = killed(SIGNED, b"")
    both = SealKeys([Ed25519PrivateKey.generate()], [SEAL_KEY.public_key()])
    Upkeep(tmp_path, 0, LogKeys(seals=both)).run()
    assert seal_of(segment) is None
    assert f"is not sealed yet: the seal's key {SEALS.signer} is not there" in caplog.text
    Upkeep(tmp_path, 0, SIGNED).run()
    assert seal_of(segment) is not None


@pytest.mark.parametrize("torn", [b"", b"12345678 torn"])
def test_a_segment_whose_writer_was_killed_before_it_was_recorded_raises_no_alarm_for_ever(
    tmp_path, keys, killed, torn
):
    killed(keys)
    left = killed(keys, torn)
    chain = tmp_path / "chain.log"
    chain.write_bytes(b"".join(lines_of(chain)[:-1]))
    assert "is not in chain.log: it was added" in why(tmp_path, keys)[left.name]
    Upkeep(tmp_path, 0, keys).run()
    assert seal_of(left).seal.rows == 5
    assert why(tmp_path, keys) == {}


@pytest.mark.parametrize(
    "signer", [LogKeys(), LogKeys(seals=SealKeys([Ed25519PrivateKey.generate()]))], ids=["none", "other"]
)
def test_upkeep_adopts_no_segment_that_was_added(tmp_path, write, signer):
    write(SIGNED, 1)
    chain = tmp_path / "chain.log"
    before = chain.read_bytes()
    forged = write(signer, 2)
    forged.write_bytes(b"".join(lines_of(forged)[:-1]))
    chain.write_bytes(before)
    Upkeep(tmp_path, 0, SIGNED).run()
    assert seal_of(forged) is None
    assert "is not in chain.log: it was added" in why(tmp_path, SIGNED)[forged.name]


def test_a_full_disk_leaves_the_seal_to_upkeep(tmp_path, keys, rows, monkeypatch):
    log = DecisionLog(tmp_path, 2**26, keys=keys)
    log.append("m:1", rows(2))
    [segment] = segments(tmp_path)
    import resource

    size = segment.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, before[1]))
    try:
        log.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert segment.stat().st_size == size
    assert verify(tmp_path, keys).intact
    Upkeep(tmp_path, 0, keys).run()
    assert seal_of(segment).seal.rows == 2
    assert verify(tmp_path, keys).intact


def test_a_chain_that_is_locked_or_cannot_be_written_delays_no_batch_and_is_made_up_for(tmp_path, keys, rows, caplog):
    log = DecisionLog(tmp_path, 2**26, keys=keys)
    chain = tmp_path / "chain.log"
    chain.touch()
    with chain.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for _ in range(100):
            log.append("m:1", rows(1))
    assert caplog.text.count("is recorded later") == 1  # said once, not for each batch
    [segment] = segments(tmp_path)
    assert "is not in chain.log" in why(tmp_path, keys)[segment.name]
    log.append("m:1", rows(1))
    assert why(tmp_path, keys) == {}
    log.close()
    assert why(tmp_path, keys) == {}


def test_erased_rows_keep_the_chain_and_have_a_record(tmp_path, keys, write):
    write(keys, 20, 5)
    write(keys, 3)
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    with exclusive_upkeep(tmp_path, keys):
        assert erase(tmp_path, "application 1", keys).rows == 2
    assert verify(tmp_path, keys).intact
    assert sum(read_chain(tmp_path)[-1].entry.erased.values()) == 2


def test_a_row_erased_without_a_record_and_one_put_back_are_found(tmp_path, keys, write):
    segment = write(keys, 20)
    chain = tmp_path / "chain.log"
    before, chain_before = segment.read_bytes(), chain.read_bytes()
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    with exclusive_upkeep(tmp_path, keys):
        erase(tmp_path, "application 1", keys)
    after, chain_after = segment.read_bytes(), chain.read_bytes()
    chain.write_bytes(chain_before)
    assert "1 rows are erased without a record" in why(tmp_path, keys)[segment.name]
    chain.write_bytes(chain_after)
    segment.write_bytes(before)
    assert "1 rows are back that had been erased" in why(tmp_path, keys)[segment.name]
    segment.write_bytes(after)
    assert verify(tmp_path, keys).intact


@pytest.mark.parametrize("archived", [False, True])
@pytest.mark.parametrize("step", ["committed", "recorded", "half applied", "applied"])
def test_an_interrupted_erasure_raises_no_alarm(tmp_path, keys, write, archived, step):
    write(keys, 20, 20)
    segment = write(keys, 3)
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    if archived:
        compact(tmp_path, keys)
        segment = write(keys, 4)
        assert catch_up(tmp_path, 3600, 64, keys=keys)
    plan = prepare(tmp_path, "application 1", keys)
    erasure_journal.commit(tmp_path, plan.journal, keys.seals)
    journal = erasure_journal.load(tmp_path)
    if step == "recorded":
        append(
            tmp_path,
            Event(event="erased", erasure=journal.record.erasure, erased=journal.segments),
            keys.seals,
        )
    elif step == "half applied":
        path = tmp_path / "decisions" / journal.edits[0].segment
        with path.open("rb+") as file:
            file.seek(journal.edits[0].offset)
            file.write(journal.edits[0].line[:50])
    elif step == "applied":
        erasure_journal.apply(tmp_path, journal, keys.seals)
    assert why(tmp_path, keys) == {}
    with exclusive_upkeep(tmp_path, keys) as rows:
        assert rows == journal.record.rows
    assert why(tmp_path, keys) == {}
    assert [one.entry.event for one in read_chain(tmp_path)].count("erased") == 1
    assert segment.exists()


def test_a_planted_journal_is_not_applied(tmp_path, write):
    segment = write(SIGNED, 20)
    assert catch_up(tmp_path, 3600, 64, keys=SIGNED)
    plan = prepare(tmp_path, "application 1", SIGNED)
    erasure_journal.commit(tmp_path, plan.journal, NO_SEAL_KEYS)
    before = segment.read_bytes()
    with pytest.raises(UnknownJournal, match="move it away"), exclusive_upkeep(tmp_path, SIGNED):
        pass
    assert segment.read_bytes() == before


PUBLIC = LogKeys(seals=SealKeys(public=[SEAL_KEY.public_key()]))
NOBODY = LogKeys()


@pytest.mark.parametrize("reader", [SIGNED, PUBLIC, NOBODY], ids=["private", "public", "none"])
def test_a_planted_journal_hides_no_altered_line(tmp_path, write, reader):
    segment = write(SIGNED, 3)
    head, line, seal = lines_of(segment)
    segment.write_bytes(b"".join((head, framed(line[9:-1].replace(b"approve", b"decline")), seal)))
    record = erasure_journal.make_record("nobody", 0, datetime.now(UTC))
    planted = Journal(record, [Edit(segment.name, len(head), line)], [], {})
    erasure_journal.commit(tmp_path, planted, NO_SEAL_KEYS)
    found = why(tmp_path, reader)
    assert segment.name in found
    assert ("erasure.journal" in found) == (reader is SIGNED)
    assert any("an erasure is running" in note for note in verify(tmp_path, PUBLIC).notes)


@pytest.mark.parametrize("reader", [SIGNED, PUBLIC, NOBODY], ids=["private", "public", "none"])
def test_a_line_without_its_code_is_found_without_the_private_key_too(tmp_path, write, reader):
    segment = write(SIGNED, 3)
    head, line, seal = lines_of(segment)
    segment.write_bytes(b"".join((head, framed(line[9 : line.index(b',"mac":')] + b"}"), seal)))
    assert segment.name in why(tmp_path, reader)


@pytest.mark.parametrize("reader", [SIGNED, PUBLIC, NOBODY], ids=["private", "public", "none"])
def test_a_planted_journal_hides_no_row_that_is_back(tmp_path, write, reader):
    segment = write(SIGNED, 20)
    before = segment.read_bytes()
    assert catch_up(tmp_path, 3600, 64, keys=SIGNED)
    with exclusive_upkeep(tmp_path, SIGNED):
        erase(tmp_path, "application 1", SIGNED)
    segment.write_bytes(before)
    record = erasure_journal.make_record("nobody", 0, datetime.now(UTC))
    erasure_journal.commit(tmp_path, Journal(record, [], [], {}), NO_SEAL_KEYS)
    assert "1 rows are back that had been erased" in why(tmp_path, reader)[segment.name]


@pytest.mark.parametrize("name", ["erasure.journal", "erasures.log"])
@pytest.mark.parametrize("content", [b"{garbage\n", b'{"record":"\xff"}\n'])
def test_a_damaged_record_of_erasures_is_named_and_stops_nothing_else(
    tmp_path, keys, write, killed, caplog, name, content
):
    segment = killed(keys)
    (tmp_path / name).write_bytes(content)
    assert "is damaged, or was not written by `erase`" in why(tmp_path, keys)[name]
    Upkeep(tmp_path, 0, keys).run()
    assert seal_of(segment) is not None
    if name == "erasure.journal":
        assert f"{tmp_path / name}: is damaged" in caplog.text
        with pytest.raises(DamagedRecord, match="move it away"), exclusive_upkeep(tmp_path, keys):
            pass


@pytest.mark.parametrize("plain", [False, True])
def test_archives_carry_the_chain(tmp_path, keys, write, plain):
    write(keys, 20, 5)
    write(keys, 3)
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    with exclusive_upkeep(tmp_path, keys):
        assert compact(tmp_path, keys, plain).rows == 28
    seen = verify(tmp_path, keys)
    assert (seen.intact, seen.segments, seen.rows) == (True, 2, 28)
    with exclusive_upkeep(tmp_path, keys):
        assert erase(tmp_path, "application 1", keys).rows == 2
    assert verify(tmp_path, keys).intact


def rewritten(path, change):
    """Write an archive again with another table."""
    table = pq.read_table(path, partitioning=None)
    pq.write_table(change(table), path)


def with_column(name, change):
    """A change of one value of a column of texts or numbers."""

    def change_table(table):
        values = table.column(name).to_pylist()
        values[0] = change(values[0])
        index = table.schema.get_field_index(name)
        return table.set_column(index, table.schema.field(name), pa.array(values, table.schema.field(name).type))

    return change_table


ARCHIVES = {
    "value": with_column("purpose", lambda _: "other"),
    "decision": with_column("decision", lambda _: "decline"),
    "caller": with_column("caller", lambda _: "nobody"),
    "line": with_column("line", lambda line: line.replace('"car"', '"bus"')),
    "value and line": lambda table: with_column("line", lambda line: line.replace('"car"', '"bus"'))(
        with_column("purpose", lambda _: "bus")(table)
    ),
    "row removed": lambda table: table.slice(0, len(table) - 1),
    "line removed": lambda table: table.slice(0, 2),
    "first line removed": lambda table: table.slice(2),
    "line added": lambda table: pa.concat_tables([table, table.slice(2)]),
    "lines swapped": lambda table: pa.concat_tables([table.slice(2), table.slice(0, 2)]),
    "no metadata": lambda table: table.replace_schema_metadata({}),
    "no seal": lambda table: table.replace_schema_metadata({**table.schema.metadata, b"credit_scorer.seal": b""}),
    "other seal": lambda table: table.replace_schema_metadata(
        {**table.schema.metadata, b"credit_scorer.seal": table.schema.metadata[b"credit_scorer.seal"].upper()}
    ),
    "another column": lambda table: table.append_column("note", pa.array(["x"] * len(table))),
    "empty": lambda table: table.slice(0, 0),
    "feature dropped": lambda table: table.drop_columns(["purpose"]),
    "id and caller dropped": lambda table: table.drop_columns(["application_id", "caller"]),
    "line dropped": lambda table: table.drop_columns(["line"]),
    "line of another type": lambda table: table.set_column(
        table.schema.get_field_index("line"), "line", table.column("line").cast(pa.binary())
    ),
    "line twice": lambda table: table.append_column("line", table.column("line")),
    "empty column": lambda table: table.append_column("risk", pa.array([None] * len(table), pa.string())),
    "type changed": lambda table: table.set_column(
        table.schema.get_field_index("age_years"), "age_years", table.column("age_years").cast(pa.string())
    ),
    "decision of another type": lambda table: table.set_column(
        table.schema.get_field_index("decision"), "decision", pa.array([[1]] * len(table))
    ),
    "columns moved": lambda table: table.select([*table.schema.names[1:], table.schema.names[0]]),
    "line is no batch": with_column("line", lambda _: "{}"),
}


@pytest.fixture
def archived(tmp_path, write):
    """Three archives of a signed log, of which the second has lines of two rows and one."""
    for sizes in ((1,), (2, 1), (3,)):
        write(SIGNED, *sizes)
    assert catch_up(tmp_path, 3600, 64)
    compact(tmp_path, SIGNED)
    assert verify(tmp_path, SIGNED).intact
    return archives(tmp_path)


@pytest.mark.parametrize("what", ARCHIVES)
def test_an_archive_that_was_tampered_with_is_found(tmp_path, archived, what):
    rewritten(archived[1], ARCHIVES[what])
    assert list(why(tmp_path, SIGNED)) == [f"{archived[1].stem}.log"]


@pytest.mark.parametrize("order", ["erased first", "archived first"])
def test_columns_of_erased_rows_may_stay_or_go_and_no_others(tmp_path, keys, rows, order):
    log = DecisionLog(tmp_path, 2**26, keys=keys)
    for row in rows(2):  # the second has the only values of `sex` and `savings`
        log.append("m:1", [row])
    log.close()
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    with exclusive_upkeep(tmp_path, keys):
        steps = [lambda: compact(tmp_path, keys), lambda: erase(tmp_path, "application 1", keys)]
        for step in steps if order == "archived first" else reversed(steps):
            step()
    assert why(tmp_path, keys) == {}
    [path] = archives(tmp_path)
    if not keys:
        assert ("sex" in pq.read_schema(path).names) == (order == "archived first")
        rewritten(path, lambda table: table.drop_columns(["purpose"]))
        assert "has other columns than its lines say" in why(tmp_path, keys)[f"{path.stem}.log"]


def test_an_archive_removed_copied_swapped_or_cut_is_found(tmp_path, archived):
    first, second, third = archived
    contents = [path.read_bytes() for path in archived]
    names = [f"{path.stem}.log" for path in archived]
    second.unlink()
    assert why(tmp_path, SIGNED) == {names[1]: "None: is missing: it was removed (3 rows)\n"}
    second.write_bytes(contents[2])
    assert list(why(tmp_path, SIGNED)) == [names[1]]
    second.write_bytes(contents[1][:-100])
    assert "the archive is damaged" in why(tmp_path, SIGNED)[names[1]]
    second.write_bytes(contents[1])
    copy = shutil.copy(third, third.with_name("copy.parquet"))
    assert list(why(tmp_path, SIGNED)) == ["copy.log"]
    copy.unlink()
    assert why(tmp_path, SIGNED) == {}
    assert first.exists()


def test_a_compaction_that_was_interrupted_raises_no_alarm(tmp_path, keys, write):
    segment = write(keys, 3)
    content = segment.read_bytes()
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    compact(tmp_path, keys)
    segment.write_bytes(content)
    assert why(tmp_path, keys) == {}


def test_a_segment_that_is_archived_while_verify_reads_is_counted(tmp_path, keys, write, monkeypatch):
    write(keys, 3)
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    check = verification.check_segment

    def meanwhile(*arguments):
        compact(tmp_path, keys)
        return check(*arguments)

    monkeypatch.setattr(verification, "check_segment", meanwhile)
    seen = verify(tmp_path, keys)
    assert (seen.intact, seen.segments, seen.rows) == (True, 1, 3)


def test_what_retention_deletes_is_in_the_chain(tmp_path, keys, write):
    old, archived, young = write(keys, 1), write(keys, 2), write(keys, 3)
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    for segment in (old, archived):
        os.utime(segment, (0, 0))
    assert retain(tmp_path, 30, keys).segments == (0 if keys.seals else 2)  # a signed seal says how old it is
    if not keys.seals:
        assert read_chain(tmp_path)[-1].entry.retired == sorted((old.name, archived.name))
    assert why(tmp_path, keys) == {}
    assert young.exists()


def test_records_old_by_their_seal_are_retired(tmp_path, rows):
    segment = segment_path(tmp_path)
    segment.parent.mkdir()
    batch = Batch(0, datetime(2020, 1, 1, tzinfo=UTC), "m:1", rows(2))
    proof = SegmentProof(tmp_path, segment.name, SIGNED)
    proof.record_begun()
    with segment.open("ab", buffering=0) as file:
        size = file.write(proof.encode(batch))
        proof.written(batch)
        assert proof.end(file.fileno(), size)
    os.utime(segment, (0, 0))
    assert catch_up(tmp_path, 3600, 64)
    assert retain(tmp_path, 30, SIGNED).segments == 1
    assert read_chain(tmp_path)[-1].entry.retired == [segment.name]
    assert why(tmp_path, SIGNED) == {}


def test_keys_may_change_and_old_seals_are_checked_with_the_old_ones(tmp_path, write, killed):
    write(LogKeys(), 2)
    left = killed(LogKeys(), b"")
    write(ENCRYPTED, 3)
    write(ENCRYPTED, 1)
    new = Ed25519PrivateKey.generate()
    both = LogKeys([bytes(range(32)), bytes(32)], SealKeys([new, SEAL_KEY]))
    write(both, 4)
    Upkeep(tmp_path, 0, both).run()
    assert seal_of(left) is not None
    assert why(tmp_path, both) == {}
    public = LogKeys(both.secrets, SealKeys(public=[new.public_key(), SEAL_KEY.public_key()]))
    assert why(tmp_path, public) == {}
    assert "which was not given" in why(tmp_path, LogKeys(both.secrets, SealKeys([new])))["chain.log"]


def test_a_command_without_the_key_of_a_signed_log_is_refused(tmp_path, write):
    write(SIGNED, 2)
    with pytest.raises(UnsignedCommand, match="SCORER_SEAL_KEY"), exclusive_upkeep(tmp_path):
        pass


def earlier_log(directory, *numbers):
    """Segments as the version before wrote them."""
    (directory / "decisions").mkdir(exist_ok=True)
    for number in numbers:
        batch = {"sequence": 0, "time": datetime.now(UTC), "model": "m:1", "fields": ["application_id"]}
        rows = [["http", 0.5, "approve", [f"application {number}"]]]
        name = f"20200101T00000{number}.000000Z-1-00000000.log"
        (directory / "decisions" / name).write_bytes(framed(msgspec.json.encode(batch | {"rows": rows})))


def test_segments_of_the_version_before_are_said_to_be_unsealed(tmp_path, keys, write):
    earlier_log(tmp_path, 1, 2)
    write(keys, 3)
    seen = verify(tmp_path, keys)
    assert (seen.intact, seen.segments, seen.rows) == (True, 3, 5)
    assert seen.notes[0].startswith("2 of 3 segments unsealed: written by an earlier version")
    assert catch_up(tmp_path, 3600, 64, keys=keys)
    with exclusive_upkeep(tmp_path, keys):
        assert erase(tmp_path, "application 1", keys).rows == 2
        assert compact(tmp_path, keys).rows == 5
        assert erase(tmp_path, "application 2", keys).rows == 2
    assert verify(tmp_path, keys).intact
    earlier_log(tmp_path, 3)
    assert "is not in chain.log: it was added" in why(tmp_path, keys)["20200101T000003.000000Z-1-00000000.log"]


def test_upkeep_logs_the_anchor_and_notices_a_chain_that_was_cut(tmp_path, write, caplog):
    caplog.set_level("INFO")
    write(SIGNED, 2)
    upkeep = Upkeep(tmp_path, 0, SIGNED)
    upkeep.run()
    anchor = read_chain(tmp_path)[-1].hash
    assert f"anchor of the decision log: {anchor}, 3 entries" in caplog.text
    (tmp_path / "chain.log").unlink()
    write(SIGNED, 1)
    upkeep._next_hour_s = 0.0
    upkeep.run()
    assert f"was cut or written anew: the entry {anchor} is not in it any more" in caplog.text
    assert SEALS.signer
