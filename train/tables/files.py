"""The files of a table: one file, a folder of parts, or a pattern.

Owns which files those are, and their order. Leaves what is in them to the readers.
"""

import glob
from pathlib import Path

from train.errors import TableError

PARQUET = (".parquet", ".pq")
TEXT = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
PATTERN = frozenset("*?[")
PACKED = {".zip": "a ZIP archive", ".xlsx": "an Excel workbook", ".xls": "an Excel workbook", ".bz2": "compressed"}
PACKED |= {".xz": "compressed", ".zst": "compressed", ".7z": "an archive", ".tar": "an archive", ".tgz": "an archive"}
REMEDIES = {"an Excel workbook": "save its sheet as CSV (UTF-8)"}


def files_of(path: Path, remedy: str = "set source.path in the dataset file") -> list[Path]:
    """The files of a table in the order of their names; raises `TableError` where there are none, or of two kinds.

    Args:
        path: a file, a folder that holds the parts, or a pattern like `parts/*.csv.gz`.
        remedy: what to do where nothing is there.
    """
    if path.is_file():
        kind = PACKED.get(path.suffix.lower())
        if kind:
            raise TableError(path, [f"is {kind}, not a table; {REMEDIES.get(kind, 'unpack it')}"])
        return [path]
    if path.is_dir():
        found = [part for part in sorted(path.rglob("*")) if part.is_file() and _is_part(path, part)]
        if not found:
            raise TableError(path, [f"is a folder without .csv, .csv.gz and .parquet files; {remedy}"])
    elif PATTERN & set(str(path)):
        named = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - of any folder, absolute ones too
        found = [Path(part) for part in named if Path(part).is_file()]
        if not found:
            raise TableError(path, [f"no file has a name like this; {remedy}"])
    else:
        raise TableError(path, [f"no such file; {remedy}"])
    if len({is_parquet(part) for part in found}) > 1:
        raise TableError(path, ["has both Parquet and text files; name those of one kind by a pattern, as parts/*.csv"])
    above = path if path.is_dir() else _fixed(path)
    inner = [name for part in found for name in part.relative_to(above).parts[:-1] if "=" in name]
    if inner:
        problem = f"is divided into folders that hold a column in their names ({inner[0]})"
        raise TableError(path, [f"{problem}; write it without partitions, so that the column is in the files"])
    return found


def is_parquet(path: Path) -> bool:
    """Whether the name of a file says that it is Parquet."""
    return path.suffix.lower() in PARQUET


def _fixed(pattern: Path) -> Path:
    """The folder of a pattern below which names vary: `a/b` of `a/b/*/c.csv`."""
    return next(folder for folder in pattern.parents if not PATTERN & set(str(folder)))


def _is_part(folder: Path, path: Path) -> bool:
    """Whether a file in a folder holds rows: not `_SUCCESS`, `_metadata`, hidden files or notes beside the data."""
    hidden = any(name.startswith((".", "_")) for name in path.relative_to(folder).parts)
    return not hidden and path.name.lower().endswith((*TEXT, *PARQUET))
