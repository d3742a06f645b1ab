"""The errors that stop the pipeline: each names the file, the place and the remedy."""

from pathlib import Path

MAX_LISTED = 20  # faults per message


class PipelineError(Exception):
    """A stage cannot continue; the message is for the person at the terminal."""


class TableError(PipelineError):
    """The table cannot be used for training; the message lists rows and columns.

    Args:
        path: the table.
        faults: what is wrong, or the first faults.
        count: the number of faults, if `faults` is not all of them.
    """

    def __init__(self, path: Path, faults: list[str], count: int = 0) -> None:
        self.faults = faults[:MAX_LISTED]
        self.count = max(count, len(faults))
        more = [f"… and {self.count - MAX_LISTED} more"] if self.count > MAX_LISTED else []
        super().__init__("\n  ".join([f"{path}:", *self.faults, *more]))


class Faults:
    """Collects the faults of a table while it is read; a million invalid cells do not fill the memory."""

    def __init__(self) -> None:
        self.listed: list[str] = []
        self.count = 0

    def add(self, fault: str) -> None:
        """Count one fault, and keep it if the message has room."""
        self.count += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(fault)

    def stop(self, path: Path) -> None:
        """Raise `TableError` if there is any fault."""
        if self.count:
            raise TableError(path, self.listed, self.count)
