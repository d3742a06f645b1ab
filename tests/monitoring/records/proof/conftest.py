"""Records to tamper with, and what an intruder without the seal's key can do to a file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitoring.records.decision_log import DecisionLog
from monitoring.records.log_keys import LogKeys
from monitoring.records.proof import verification
from monitoring.records.proof.seal_keys import SealKeys
from monitoring.records.proof.verification import ATTEMPTS, Verification
from monitoring.records.segments import segments

SEAL_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SEALS = SealKeys([SEAL_KEY])
SIGNED = LogKeys(seals=SEALS)
ENCRYPTED = LogKeys([bytes(32)], SEALS)
FORMS = {"plain": SIGNED, "encrypted": ENCRYPTED, "unsigned": LogKeys()}


@pytest.fixture(params=list(FORMS))
def keys(request: Any) -> LogKeys:
    """The keys of a log in each of its forms."""
    return FORMS[request.param]


def verify(directory: Path, keys: LogKeys, anchors: Sequence[str] = (), attempts: int = ATTEMPTS) -> Verification:
    """Verify; readings of what seems broken follow each other at once, as nothing else changes the records."""
    return verification.verify(directory, keys, anchors, attempts=attempts, pause_s=0.0)


@pytest.fixture
def write(tmp_path: Path, rows: Any) -> Callable[..., Path]:
    """`write(keys, *sizes)` writes a sealed segment with batches of these sizes; returns its path."""

    def write(keys: LogKeys, *sizes: int) -> Path:
        before = set(segments(tmp_path))
        log = DecisionLog(tmp_path, 2**26, keys=keys)
        for number, size in enumerate(sizes):
            named = [msgspec.structs.replace(row, caller="a key", request_id="r-1") for row in rows(size, 10 * number)]
            log.append("m:1", named)
        log.close()
        [segment] = set(segments(tmp_path)) - before
        return segment

    return write


def lines_of(path: Path) -> list[bytes]:
    """The lines of a file, with their line feeds."""
    return path.read_bytes().splitlines(keepends=True)


def why(directory: Path, keys: LogKeys, *anchors: str) -> dict[str, str]:
    """What `verify` finds broken: the reasons by file."""
    found: dict[str, str] = {}
    for one in verify(directory, keys, anchors).broken:
        found[one.segment] = f"{found.get(one.segment, '')}{one.line}: {one.why}\n"
    return found
