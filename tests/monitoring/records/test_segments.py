"""Reading the log: torn lines are ignored, damaged lines are lost rows."""

import os

import pytest

from monitoring.records.lines import decode_row_range
from monitoring.records.segments import read, read_lines, segments
from monitoring.status import Status, count


@pytest.fixture
def segment(tmp_path, log, rows):
    """Three batches of two rows."""
    for first in (0, 2, 4):
        log.append("m:1", rows(2, first))
    return segments(tmp_path)[0]


def flip(segment, at):
    """Flip one bit of the byte at `at`; a second call restores it."""
    with segment.open("r+b", buffering=0) as file:
        byte = os.pread(file.fileno(), 1, at)[0]
        os.pwrite(file.fileno(), bytes([byte ^ 1]), at)


def test_a_last_line_torn_at_any_byte_is_ignored(tmp_path, segment):
    whole = segment.read_bytes()
    last = whole[:-1].rindex(b"\n") + 1
    for length in reversed(range(last, len(whole))):
        os.truncate(segment, length)
        assert [end for _, end in read(segment)][-1] == last
        assert count(tmp_path) == Status(4, 4, 0, 4)
    segment.write_bytes(whole)
    assert count(tmp_path) == Status(6, 6, 0, 6)


def test_a_wrong_byte_in_the_last_line_counts_as_a_torn_line(tmp_path, segment):
    whole = segment.read_bytes()
    for at in range(whole[:-1].rindex(b"\n") + 1, len(whole)):
        flip(segment, at)
        assert count(tmp_path) == Status(4, 4, 0, 4)
        flip(segment, at)


def test_a_wrong_byte_before_the_last_line_counts_as_lost_rows(tmp_path, segment):
    head = segment.read_bytes().index(b"\n") + 1
    ends = [head, *(end for _, end in read(segment))]
    for begin, end in [(head, ends[1]), (ends[1], ends[2] - 1)]:
        for at in range(begin, end):
            flip(segment, at)
            seen = count(tmp_path)
            flip(segment, at)
            assert seen.served == 6
            assert seen.logged == (2 if at == ends[1] - 1 else 4)  # without its line feed a line spoils the next


def test_reading_resumes_at_an_offset(segment, log, rows):
    ends = [end for _, end in read(segment)]
    assert [batch.sequence for batch, _ in read(segment, ends[0])] == [2, 4]
    log.append("m:1", rows(5))
    assert list(read_lines(segment, ends[-1], decode_row_range)) == [((6, 5), segment.stat().st_size)]


def test_a_deleted_segment_reads_as_empty(segment):
    segment.unlink()
    assert list(read(segment)) == []
