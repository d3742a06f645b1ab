"""The files of profiles: ordinary whylogs binaries, or encrypted where the log has a key.

Owns: their bytes on disk, the file in which a model's rows wait until they are enough, reading for whoever needs a
profile, and exporting ordinary files. Leaves to others: which rows belong to one profile (windows), replacing files
(checkpoint).

An encrypted one (file_cipher) belongs to its model and window: put in the place of another it cannot be opened. The
first start with a key encrypts what is plain, and the checkpoint then says that all are encrypted. From there on a
plain one is not the profiler's: it stays where it is, and is never read.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from configs.source import ConfigError
from monitoring.profiles import whylogs_compat
from monitoring.profiles.whylogs_compat import ColumnSketch, DatasetProfileView
from monitoring.records import checkpoint, durable, private
from monitoring.records.cipher import KeyMissing
from monitoring.records.file_cipher import file_key_id
from monitoring.records.log_keys import NO_KEYS, LogKeys

HELD = "held.bin"  # rows of a model that are too few for a profile: in files of fewer rows one could pick out a person

_log = logging.getLogger(__name__)


def profile_files(directory: Path) -> list[Path]:
    """The profiles of the records in `directory`, by model and window; without the rows that are held back."""
    return [path for path in all_files(directory) if path.name != HELD]


def all_files(directory: Path) -> list[Path]:
    """Every file with profiled rows: each row is in one of them."""
    return sorted(checkpoint.profiles_directory(directory).rglob("*.bin"))


def read_view(path: Path, keys: LogKeys = NO_KEYS) -> DatasetProfileView:
    """Read one profile, encrypted or not.

    Raises:
        KeyMissing: it is encrypted with a key that is not in `keys`.
        CheckpointError: it is encrypted, and was changed; or it is plain where all are encrypted.
    """
    return DatasetProfileView.deserialize(opened(path, path.read_bytes(), keys))


def read_sketches(path: Path, keys: LogKeys = NO_KEYS) -> dict[str, ColumnSketch]:
    """Read only what one profile counts of each column, in a twentieth of the time; raises as `read_view`.

    Raises:
        ValueError: it is no profile.
    """
    return whylogs_compat.read_sketches(opened(path, path.read_bytes(), keys))


def sealed(path: Path, content: bytes, keys: LogKeys) -> bytes:
    """The bytes to write for a whylogs binary at `path`."""
    return keys.seal_file(_name(path), content)


def opened(path: Path, content: bytes, keys: LogKeys) -> bytes:
    """The inverse of `sealed`, with any of the keys; raises as `read_view`."""
    if keys and not file_key_id(content) and checkpoint.load(path.parents[2]).encrypted:
        problem = "is plain where all profiles are encrypted, so it is not read"
        raise checkpoint.CheckpointError(path, problem, path.parents[2])
    try:
        return keys.open_file(_name(path), content)
    except ValueError as error:
        raise checkpoint.CheckpointError(path, str(error), path.parents[2]) from None


def reseal(directory: Path, keys: LogKeys) -> int:
    """Encrypt with the first key what is encrypted with another of `keys`, or plain; return the number of files.

    Then the checkpoint says that all are encrypted; where it did before, a plain one is left as it is, and the log says
    so. The caller must hold the lock. A file is replaced as a whole, so a kill leaves the old one or the new one.
    """
    changed = []
    for path in all_files(directory) if keys else ():
        content = path.read_bytes()
        if keys.is_sealed_with_first(content):
            continue
        try:
            plain = opened(path, content, keys)
        except KeyMissing:  # reported when a row is added to it
            continue
        except checkpoint.CheckpointError as error:
            if file_key_id(content):
                raise
            _log.error("%s", error)
            continue
        temporary = path.with_suffix(".sealed.next")
        durable.write(temporary, sealed(path, plain, keys))
        temporary.replace(path)
        changed.append(path)
    durable.sync_folders(changed)
    profiles = checkpoint.profiles_directory(directory)
    if keys and not (done := checkpoint.load(profiles)).encrypted:
        checkpoint.commit(profiles, msgspec.structs.replace(done, encrypted=True))
    return len(changed)


def export(directory: Path, target: Path, keys: LogKeys) -> Iterator[Path]:
    """Write each profile to `target`, as the ordinary whylogs binary that any of its tools reads; yield its path.

    Raises:
        ConfigError: `target` is inside the records, where the copies would count as profiles.
    """
    profiles = checkpoint.profiles_directory(directory)
    if target.resolve().is_relative_to(profiles.resolve()):
        raise ConfigError(target, "", f"is inside {profiles}, whose files all count", "choose another folder")
    for path in profile_files(directory):
        copy = target / path.relative_to(profiles)
        private.make_folder(copy.parent)
        temporary = copy.with_name(f".{copy.name}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        durable.write(temporary, opened(path, path.read_bytes(), keys))
        temporary.replace(copy)
        yield copy


def _name(path: Path) -> str:
    """Model, version and window, wherever the records are."""
    return "/".join(path.parts[-3:])
