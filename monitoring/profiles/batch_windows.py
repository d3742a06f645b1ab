"""The profiles of batch runs: a window for each run, beside those of what was served and never among them.

Owns: where they are kept, and writing one. Leaves to others: what is in them (`batch`), comparing (`monitoring.drift`).
No row of them is in the decision log, so none counts as served, logged or profiled.
"""

from datetime import datetime
from pathlib import Path

from configs.monitoring import Monitoring
from monitoring.profiles import files
from monitoring.profiles.whylogs_compat import DatasetProfileView
from monitoring.profiles.windows import profile_path, rows_of
from monitoring.records import checkpoint, private
from monitoring.records.checkpoint import Checkpoint
from monitoring.records.durable import sync_folders, write
from monitoring.records.log_keys import LogKeys
from monitoring.records.segments import batch_directory

FOLDER = "windows"  # within that of the log of batch runs


def runs(directory: Path) -> list[Path]:
    """The folders of the runs whose profiles are kept beside the records in `directory`; the name of one is the run."""
    return sorted(
        path for path in (batch_directory(directory) / FOLDER).glob("*") if checkpoint.profiles_directory(path).is_dir()
    )


def keep(settings: Monitoring, keys: LogKeys, run: str, model: str, start: datetime, content: bytes) -> Path | None:
    """Write the profile of a run; None where its rows are fewer than a profile may be made of.

    Args:
        settings: where the records are.
        keys: to encrypt it with.
        run: letters and digits that tell runs apart.
        model: `<name>:<version>`.
        start: of the run.
        content: the whylogs binary.
    """
    if not content or rows_of(DatasetProfileView.deserialize(content)) < settings.least_window_rows:
        return None
    profiles = checkpoint.profiles_directory(batch_directory(Path(settings.directory)) / FOLDER / run)
    path = profile_path(profiles, model, start)
    private.make_folder(path.parent)
    checkpoint.commit(profiles, Checkpoint(generation=1, encrypted=bool(keys)))
    temporary = path.with_suffix(".next")
    write(temporary, files.sealed(path, content, keys))
    temporary.replace(path)
    sync_folders([path])
    return path
