"""What stops a pipeline: an error that names the file, the place and the remedy, and leaves everything as it was."""

from pathlib import Path

MAX_LISTED = 20  # faults that one message lists


class PipelineError(Exception):
    """A stage that cannot go on; its text is for the person at the terminal."""


class TableError(PipelineError):
    """A table that cannot be trained on; lists rows and columns."""

    def __init__(self, path: Path, faults: list[str]) -> None:
        self.faults = faults
        more = [f"… and {len(faults) - MAX_LISTED} more"] if len(faults) > MAX_LISTED else []
        super().__init__("\n  ".join([f"{path}:", *faults[:MAX_LISTED], *more]))
