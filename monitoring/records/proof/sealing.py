"""Seals the segments of writers that ended without doing it: killed ones, or such whose disk was full.

Owns: which segments are sealed, and what is checked before. Leaves to others: the bytes (segment_ends), recording
(chain), mutual exclusion (upkeep).

A segment whose lines do not fit together, or were not written by a holder of the seal's key, is not sealed: a seal says
that the lines are those of the service. One that fits together and is not in `chain.log`, as its writer was killed
before it could record it, gets its entries here: with a seal key its codes show who wrote it, without one nothing does.
"""

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from monitoring.records.cipher import KeyMissing
from monitoring.records.lines import framed
from monitoring.records.log_keys import LogKeys
from monitoring.records.proof import chain
from monitoring.records.proof.chain import Event
from monitoring.records.proof.chain_view import ChainView
from monitoring.records.proof.segment_check import SegmentCheck, check_segment
from monitoring.records.proof.segment_ends import Seal, SignedSeal, parse_seal, seal_payload
from monitoring.records.segments import is_closed, segments, size_bytes

_log = logging.getLogger(__name__)


def seal_abandoned(directory: Path, keys: LogKeys, known_as_broken: Iterable[str] = ()) -> list[str]:
    """Seal what its writer has left unsealed; call it under the upkeep lock.

    Args:
        directory: that holds the records.
        keys: of the log.
        known_as_broken: segments that were found broken before, which are not read again.

    Returns:
        The segments that cannot be sealed, because they are broken.
    """
    view, broken = ChainView(chain.read_chain(directory), keys), list(known_as_broken)
    for path in segments(directory):
        name = path.name
        done = name in view.sealed or (name not in view.begun and name in view.found | view.retired)
        if done or name in broken or not size_bytes(path) or not is_closed(path):
            continue
        try:
            check = check_segment(path, keys)
        except (KeyMissing, FileNotFoundError) as error:
            _log.warning("%s is not sealed yet: %s", path, error)
            continue
        if check.findings or not _is_known(check, view):
            broken.append(name)
            _log.error("%s is not sealed, because it is broken: `python -m monitoring verify` says how", path)
        elif check.head and check.head.seal_key and not keys.seals.mac(check.head.seal_key, name):
            _log.warning("%s is not sealed yet: the seal's key %s is not there", path, check.head.seal_key)
        elif seal := check.seal or _seal(path, check, keys):
            if name not in view.begun:
                chain.append(directory, Event(event="begun", segment=name, head=check.head_hash), keys.seals)
            _record(directory, seal, keys)
    return broken


def _is_known(check: SegmentCheck, view: ChainView) -> bool:
    """Whether a segment without a fault is the one of `chain.log`, or may be one that its writer could not record."""
    if begun := view.begun.get(check.segment):
        return check.head_hash == begun.head
    if check.head is None or not check.is_chained:
        return False
    return check.head.previous in view.hashes and (bool(check.head.seal_key) or not view.is_signed)


def _seal(path: Path, check: SegmentCheck, keys: LogKeys) -> SignedSeal | None:
    """Put a seal in the place of a torn line; None if the segment has no rows."""
    if check.newest is None:
        return None
    seal = Seal(check.segment, check.rows, check.lines, check.last_hash, check.newest.time, check.torn_bytes)
    payload = seal_payload(seal, keys.seals)
    with path.open("rb+") as file:
        before = os.fstat(file.fileno())
        file.truncate(check.good_bytes)
        file.seek(check.good_bytes)
        file.write(framed(payload))
        file.flush()
        os.fsync(file.fileno())
        os.utime(file.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))  # the age of the newest row (retention)
    return parse_seal(payload)


def _record(directory: Path, signed: SignedSeal, keys: LogKeys) -> None:
    seal = signed.seal
    event = Event(event="sealed", segment=seal.segment, rows=seal.rows, seal=signed.hash, newest=seal.newest)
    chain.append(directory, event, keys.seals)
