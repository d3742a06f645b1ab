"""Why a load test cannot start or go on: one message with its remedy, for the person at the terminal."""


class LoadTestError(Exception):
    """A load test cannot be run; the message says what is wrong, and how to mend it."""
