"""How far the log has been profiled, and the commit that moves it: each row in the profiles exactly once.

Owns: `profiles/checkpoint.json`, and how new profile files take effect together with it. Leaves to others: what
is in those files (profiles), who may commit (lock), syncing (durable).

A commit of generation g, and what a kill after each step leaves:

    1. prepare   `<window>.<g>.next` beside each `<window>.bin`   the checkpoint says g-1: leftovers, deleted
    2. commit    checkpoint.json of generation g, by one rename   the commit point: .next files of g are valid
    3. publish   each `.next` renamed over its `.bin`             those not yet renamed are renamed by `recover`

The generation is in the name: a leftover of a commit that never was cannot pass for a file of the last one.
A file holds all rows of its profile, so a reader of `*.bin` sees each row once or, between 2 and 3, not yet.
Files and folders are synced in that order, which makes losing the machine's power harmless as well, as far as
the file system keeps its promises; but the log itself is not synced (decision_log).
"""

from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from monitoring.records.durable import sync_folders, write
from monitoring.records.lines import RowRange


class Position(msgspec.Struct, frozen=True):
    """How far one segment has been profiled.

    Attributes:
        offset: bytes done.
        sequence: rows that were logged up to there; more than `rows` where damage has swallowed some.
        rows: rows that were read and are in the profiles.
    """

    offset: int = 0
    sequence: int = 0
    rows: int = 0

    def after(self, row_range: RowRange, offset: int) -> "Position":
        """Move behind a batch that ends at byte `offset`.

        >>> Position(100, 5, 5).after(RowRange(sequence=7, rows=2), 300)
        Position(offset=300, sequence=9, rows=7)
        """
        return Position(offset, row_range.sequence + row_range.rows, self.rows + row_range.rows)


class Checkpoint(msgspec.Struct, frozen=True):
    """The position in every segment ever profiled, deleted ones too: one that is restored must not count twice."""

    generation: int = 0
    segments: dict[str, Position] = {}

    @property
    def rows(self) -> int:
        """Count the rows in the committed profiles."""
        return sum(position.rows for position in self.segments.values())

    def position(self, segment: Path) -> Position:
        """Tell how far `segment` has been profiled."""
        return self.segments.get(segment.name, Position())

    def next(self, positions: Mapping[str, Position]) -> "Checkpoint":
        """Give the checkpoint of the following generation, with these positions moved."""
        return Checkpoint(self.generation + 1, {**self.segments, **positions})


class CheckpointError(Exception):
    """There are profiles, but nothing that says which rows are in them; going on would count rows twice."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path}: {problem}; move {path.parent} away, and the profiles are made again from what is left of the log"
        )


def profiles_directory(directory: Path) -> Path:
    """Tell where the profiles of the records in `directory` lie."""
    return directory / "profiles"


def load(profiles: Path) -> Checkpoint:
    """Read the checkpoint of a folder of profiles; an empty one when nothing was profiled yet."""
    path = profiles / "checkpoint.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Checkpoint)
    except FileNotFoundError:
        if next(profiles.rglob("*.bin"), None) is None:
            return Checkpoint()
        if path.exists():  # the first commit ever came in between
            return load(profiles)
        raise CheckpointError(path, "no such file, though there are profiles") from None
    except msgspec.DecodeError as error:
        raise CheckpointError(path, f"cannot be read ({error})") from None


def prepare(files: Mapping[Path, bytes], generation: int) -> None:
    """Write the new content of each profile beside it."""
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write(_next_path(path, generation), content)
    sync_folders(files)


def commit(profiles: Path, checkpoint: Checkpoint) -> None:
    """Make `checkpoint`, and with it the prepared files of its generation, the truth."""
    temporary = profiles / "checkpoint.json.next"
    write(temporary, msgspec.json.format(msgspec.json.encode(checkpoint), indent=1))
    temporary.replace(profiles / "checkpoint.json")
    sync_folders([temporary])


def publish(files: Collection[Path], generation: int) -> None:
    """Put the prepared files of a committed generation in the places of the old ones."""
    for path in files:
        _next_path(path, generation).replace(path)
    sync_folders(files)


def unpublished(profiles: Path, generation: int) -> list[Path]:
    """List the profiles whose committed content is not in place yet."""
    return [path.with_name(path.name.split(".")[0] + ".bin") for path in profiles.rglob(f"*.{generation}.next")]


def recover(profiles: Path, generation: int) -> None:
    """Finish the commit of `generation` if it was cut short, and delete what one after it has left."""
    publish(unpublished(profiles, generation), generation)
    for leftover in profiles.rglob("*.next"):
        leftover.unlink()


def _next_path(path: Path, generation: int) -> Path:
    return path.with_suffix(f".{generation}.next")
