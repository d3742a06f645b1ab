"""What stops a pipeline: an error that names the file, the place and the remedy, and leaves everything as it was."""

from pathlib import Path

MAX_LISTED = 20  # faults that one message lists


class PipelineError(Exception):
    """A stage that cannot go on; its text is for the person at the terminal."""


class TableError(PipelineError):
    """A table that cannot be trained on; lists rows and columns.

    Args:
        path: the table.
        faults: what is wrong, the first of them at least.
        count: how many there are, where `faults` is not all.
    """

    def __init__(self, path: Path, faults: list[str], count: int = 0) -> None:
        self.faults = faults[:MAX_LISTED]
        self.count = max(count, len(faults))
        more = [f"… and {self.count - MAX_LISTED} more"] if self.count > MAX_LISTED else []
        super().__init__("\n  ".join([f"{path}:", *self.faults, *more]))


class Faults:
    """The faults of one table while it is read: a column of a million wrong cells must not fill the memory."""

    def __init__(self) -> None:
        self.listed: list[str] = []
        self.count = 0

    def add(self, fault: str) -> None:
        """Count one fault, and keep it while there is room in a message."""
        self.count += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(fault)

    def stop(self, path: Path) -> None:
        """Raise `TableError` where there is any."""
        if self.count:
            raise TableError(path, self.listed, self.count)
