"""Whether an archive holds the lines of its segment as they were written, and columns that say the same.

Owns: reading the lines of an archive. Leaves to others: the lines themselves (segment_check). The archive has every
line in full, so nobody has to trust the compaction that wrote it; the columns are made from the lines again and
compared.
"""

from pathlib import Path
from typing import Any

from monitoring.records.archive import open_archive
from monitoring.records.archive_columns import FORMAT, HEAD, SEAL, table_of
from monitoring.records.lines import decode_batch
from monitoring.records.log_keys import LogKeys
from monitoring.records.proof.segment_check import SegmentCheck


def check_archive(path: Path, keys: LogKeys) -> SegmentCheck:
    """Check the archive of a segment.

    Raises:
        KeyMissing: it is encrypted with a key that is not in `keys`.
        FileNotFoundError: the file is gone.
    """
    check = SegmentCheck(f"{path.stem}.log", keys)
    try:
        with open_archive(path, keys) as (file, _):
            check.good_bytes = path.stat().st_size
            _check(file, check)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # how pyarrow says that a file is damaged
        reason = str(error).partition("\n")[0]
        check.fault(None, f"the archive is damaged: {reason}")
    return check


def _check(file: Any, check: SegmentCheck) -> None:
    metadata = file.schema_arrow.metadata or {}
    head, seal = metadata.get(HEAD, b""), metadata.get(SEAL, b"")
    check.is_chained = FORMAT in metadata and bool(head)
    if check.is_chained:
        check.add_head(head)
    number = 1
    for group in range(file.num_row_groups):
        table = file.read_row_group(group)
        if FORMAT not in metadata:
            check.rows += table.num_rows
            continue
        lines = [line.encode() for line in table.column("line").to_pylist() if line is not None]
        for payload in lines:
            number += 1
            if check.is_chained:
                check.add_rows(payload, number)
            elif batch := decode_batch(payload):
                check.rows += len(batch.rows)
        if not table.equals(table_of(lines, check.segment, file.schema_arrow)):
            check.fault(None, f"the columns of row group {group} do not say what the lines in it do")
    if check.is_chained and seal:
        check.add_seal(seal, number + 1)
