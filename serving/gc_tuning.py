"""When the garbage collector of a worker runs.

Reference counting frees everything that a request allocates; the collector is for cycles, and traverses every live
object to find them. Imported modules live for ever: a full collection over them takes 50 to 70 ms in which nobody is
answered.
"""

import gc

# Allocations until a young collection, 0.1 ms; young collections until a middle one, 1 ms; and no full one, which
# `serving.housekeeping` begins when there is little to do.
THRESHOLDS = (2_000, 10, 1_000_000)


def tune_gc() -> None:
    """Exempt everything alive now from collection, and collect only young objects from here on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
