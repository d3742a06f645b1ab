"""How far the log has been profiled, and the commit that puts each row into the profiles exactly once.

Owns: `profiles/checkpoint.json`, and how new profile files take effect together with it. Leaves to others: the content
of those files (profiles), who may commit (locks), syncing (durable).

A commit of generation g, and the state after a kill at each step:

    1. prepare   write `<window>.<g>.next` beside each `<window>.bin`   the checkpoint says g-1: `recover` deletes them
    2. commit    rename checkpoint.json of generation g into place      the commit point: the .next files of g are valid
    3. publish   rename each `.next` over its `.bin`; an empty one      `recover` renames the remaining ones
                 means that this file goes, which comes first

The file name holds the generation, so a leftover of an aborted commit cannot be mistaken for a file of the next one. A
file holds all rows of its profile, so a reader of `*.bin` sees each row once or, between steps 2 and 3, not yet. Files
and folders are synced in this order, so a power failure is as harmless as a kill, provided that the file system keeps
its promises. Whether the log is, its setting `sync` says (syncing).
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from monitoring.records import private
from monitoring.records.durable import sync_folders, write
from monitoring.records.lines import RowRange
from monitoring.records.segments import BESIDE


class Position(msgspec.Struct, frozen=True):
    """How far one segment has been profiled.

    Attributes:
        offset: number of bytes profiled.
        sequence: number of rows logged up to there; more than `rows` if damaged lines have lost some.
        rows: number of rows that were read and are in the profiles.
    """

    offset: int = 0
    sequence: int = 0
    rows: int = 0

    def after(self, row_range: RowRange, offset: int) -> "Position":
        """Return the position after a batch that ends at byte `offset`.

        >>> Position(100, 5, 5).after(RowRange(sequence=7, rows=2), 300)
        Position(offset=300, sequence=9, rows=7)
        """
        return Position(offset, row_range.sequence + row_range.rows, self.rows + row_range.rows)


class GroupCount(NamedTuple):
    """What is counted of an audited group: the rows of a model with this decision."""

    model: str
    column: str
    group: str
    decision: str

    @property
    def key(self) -> str:
        """As one text, for a key of the checkpoint.

        >>> GroupCount.of_key(GroupCount("m:1", "age", "under 25", "approve").key).group
        'under 25'
        """
        return msgspec.json.encode(tuple(self)).decode()

    @classmethod
    def of_key(cls, key: str) -> Self:
        """The inverse of `key`."""
        return cls(*msgspec.json.decode(key, type=tuple[str, str, str, str]))


WHOLE = Position(1 << 40)  # beyond the end of any segment


class Checkpoint(msgspec.Struct, frozen=True):
    """The position in every segment ever profiled, deleted ones included, so that a restored one counts once.

    Attributes:
        generation: number of commits.
        segments: the position in each.
        group_decisions: rows by `GroupCount.key`, of the models whose audits are known (audits).
        encrypted: whether every profile is: a plain one was then put there by somebody else.
    """

    generation: int = 0
    segments: dict[str, Position] = {}
    group_decisions: dict[str, int] = {}
    encrypted: bool = False

    @property
    def rows(self) -> int:
        """The number of rows in the committed profiles."""
        return sum(position.rows for position in self.segments.values())

    def position(self, segment: Path) -> Position:
        """Return how far `segment` has been profiled."""
        return self.segments.get(segment.name, Position())

    def next(
        self, positions: Mapping[str, Position], group_decisions: dict[str, int], encrypted: bool = False
    ) -> "Checkpoint":
        """Return the checkpoint of the next generation, with these positions updated and these counts of groups."""
        return Checkpoint(self.generation + 1, {**self.segments, **positions}, group_decisions, encrypted)


class Unprofiled(Checkpoint, frozen=True):
    """The checkpoint of a log that nobody profiles: no row of it is pending."""

    def position(self, segment: Path) -> Position:  # noqa: ARG002 - the same for each
        """Return the end of any segment."""
        return WHOLE


class CheckpointError(Exception):
    """Profiles cannot be added to, or without counting rows twice.

    Args:
        path: the file.
        problem: what is wrong with it.
        profiles: the folder of the profiles; by default the file's.
    """

    def __init__(self, path: Path, problem: str, profiles: Path | None = None) -> None:
        folder = profiles or path.parent
        super().__init__(f"{path}: {problem}; move {folder} away to have the profiles rebuilt from the remaining log")


def profiles_directory(directory: Path) -> Path:
    """Return the folder of the profiles of the records in `directory`."""
    return directory / "profiles"


def of_log(directory: Path) -> Checkpoint:
    """Return how far the log in `directory` has been profiled; logs beside that of decisions are not."""
    return Unprofiled() if directory.name in BESIDE else load(profiles_directory(directory))


def load(profiles: Path) -> Checkpoint:
    """Read the checkpoint of a folder of profiles; return an empty one if nothing has been profiled."""
    path = profiles / "checkpoint.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Checkpoint)
    except FileNotFoundError:
        if next(profiles.rglob("*.bin"), None) is None:
            return Checkpoint()
        if path.exists():  # the first commit happened meanwhile
            return load(profiles)
        raise CheckpointError(path, "no such file, although profiles exist") from None
    except msgspec.DecodeError as error:
        raise CheckpointError(path, f"cannot be decoded ({error})") from None


def prepare(files: Mapping[Path, bytes], generation: int) -> None:
    """Write the new content of each profile beside its file."""
    for path, content in files.items():
        private.make_folder(path.parent)
        write(_next_path(path, generation), content)
    sync_folders(files)


def commit(profiles: Path, checkpoint: Checkpoint) -> None:
    """Make `checkpoint` and the prepared files of its generation valid."""
    temporary = profiles / "checkpoint.json.next"
    write(temporary, msgspec.json.format(msgspec.json.encode(checkpoint), indent=1))
    temporary.replace(profiles / "checkpoint.json")
    sync_folders([temporary])


def publish(files: Collection[Path], generation: int) -> None:
    """Replace the old files with the prepared files of a committed generation; an empty one deletes the old.

    Deletes first, as the rows of what goes are in what comes.
    """
    prepared = {path: _next_path(path, generation) for path in files}
    gone = [path for path, coming in prepared.items() if not coming.stat().st_size]
    for path in gone:
        path.unlink(missing_ok=True)
    for path, coming in prepared.items():
        if path in gone:
            coming.unlink()
        else:
            coming.replace(path)
    sync_folders(files)


def unpublished(profiles: Path, generation: int) -> list[Path]:
    """Return the profiles whose committed content is not published yet."""
    return [path.with_name(path.name.split(".")[0] + ".bin") for path in profiles.rglob(f"*.{generation}.next")]


def recover(profiles: Path, generation: int) -> None:
    """Finish an interrupted commit of `generation`, and delete the leftovers of a later one."""
    publish(unpublished(profiles, generation), generation)
    for leftover in profiles.rglob("*.next"):
        leftover.unlink()


def _next_path(path: Path, generation: int) -> Path:
    return path.with_suffix(f".{generation}.next")
