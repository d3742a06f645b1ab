"""What stops packing."""


class PackingError(RuntimeError):
    """Something cannot be packed, run or pushed; the message says what, and the command that mends it."""
