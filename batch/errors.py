"""What stops a run, in words that say what to do."""


class BatchError(RuntimeError):
    """A run cannot start, or cannot go on; what is done stays done."""
