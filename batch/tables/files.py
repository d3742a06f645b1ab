"""The files of a table: one file, a folder of parts, or a pattern, on any file system.

Owns which files those are, their order, and their state, by which a resumed run knows that nothing was changed. Leaves
what is in them to `batch.tables.planning`.
"""

import re
from pathlib import PurePosixPath

from msgspec import Struct
from pyarrow import fs

from batch.errors import BatchError
from batch.job import Kind
from batch.tables.places import S3, is_remote, opened

PARQUET = (".parquet", ".pq")
TEXT = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
PATTERN = re.compile(r"[*?\[]")


class TableFile(Struct, frozen=True, kw_only=True):
    """A file of a table: its place, and what changes when somebody writes it again."""

    path: str
    bytes: int
    modified_ns: int


def files_of(table: str) -> list[TableFile]:
    """The files of a table in the order of their names.

    Args:
        table: a file, a folder that holds the parts, or a pattern like `parts/*.parquet`; local or `s3://`.

    Raises:
        BatchError: there are none, or some of two kinds.
    """
    system, path = opened(table)
    try:
        info = system.get_file_info(path)
        if info.type == fs.FileType.File:
            found = [info]
        elif info.type == fs.FileType.Directory:
            every = system.get_file_info(fs.FileSelector(path, recursive=True))
            found = [one for one in every if one.type == fs.FileType.File and _is_part(path, one.path)]
        elif PATTERN.search(path):
            found = _matching(system, path)
        else:
            raise BatchError(f"{table}: no such file; give a CSV or Parquet file, a folder of them, or a pattern")
    except OSError as error:
        raise BatchError(f"{table}: cannot be looked at ({_first_line(error)})") from None
    if not found:
        raise BatchError(f"{table}: no CSV or Parquet file is there; they end in {', '.join((*TEXT, *PARQUET))}")
    scheme = S3 if is_remote(table) else ""
    files = [
        TableFile(path=f"{scheme}{one.path}", bytes=one.size, modified_ns=one.mtime_ns or 0)
        for one in sorted(found, key=lambda one: str(one.path))
    ]
    if len({kind_of(file.path) for file in files}) > 1:
        raise BatchError(f"{table}: has both Parquet and text files; name those of one kind by a pattern")
    return files


def kind_of(path: str) -> Kind:
    """The kind of a file by its name.

    >>> kind_of("s3://loans/2026.parquet"), kind_of("new.csv.gz")
    ('parquet', 'csv')
    """
    return "parquet" if path.lower().endswith(PARQUET) else "csv"


def _matching(system: fs.FileSystem, pattern: str) -> list[fs.FileInfo]:
    """The files below the fixed part of a pattern that match all of it."""
    fixed = next(folder for folder in PurePosixPath(pattern).parents if not PATTERN.search(str(folder)))
    every = system.get_file_info(fs.FileSelector(str(fixed), recursive=True, allow_not_found=True))
    matches = re.compile(translated(pattern)).fullmatch
    return [one for one in every if one.type == fs.FileType.File and matches(one.path)]


def translated(pattern: str) -> str:
    """A pattern of the shell as a regular expression; `**/` stands for any folders, the others for none.

    >>> bool(re.fullmatch(translated("a/*.csv"), "a/b.csv")), bool(re.fullmatch(translated("a/*.csv"), "a/b/c.csv"))
    (True, False)
    >>> bool(re.fullmatch(translated("a/**/[bc].csv"), "a/x/y/c.csv"))
    True
    """
    pieces = []
    for piece in re.findall(r"\*\*/|\*|\?|\[!?\]?[^\]]*\]|.", pattern, re.DOTALL):
        if piece in ("**/", "*", "?"):
            pieces.append({"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}[piece])
        elif len(piece) > 1:
            inner = piece[1:-1].replace("\\", "\\\\")
            pieces.append(f"[{'^' + inner[1:] if inner.startswith('!') else inner}]")
        else:
            pieces.append(re.escape(piece))
    return "".join(pieces)


def _is_part(folder: str, path: str) -> bool:
    """Whether a file in a folder holds rows: not `_SUCCESS`, `_metadata`, hidden files or notes beside the data."""
    inner = PurePosixPath(path).relative_to(folder).parts
    return not any(name.startswith((".", "_")) for name in inner) and path.lower().endswith((*TEXT, *PARQUET))


def _first_line(error: OSError) -> str:
    return (error.strerror or str(error)).splitlines()[0] if str(error) else type(error).__name__
