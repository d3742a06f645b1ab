"""The garbage collector of a worker, tamed.

Owns when it runs. Counting references frees all that a request makes; the collector is for cycles, and goes over
everything that lives to find them. What was imported lives for ever: a full collection of it takes 50 to 70 ms in which
nobody is answered.
"""

import gc

# Objects that a young collection looks at, 0.1 ms; then young collections in a middle one, 1 ms; and no full one. What
# survives that long is what open connections hold, which no cycle does.
THRESHOLDS = (2_000, 10, 1_000_000)


def tune_gc() -> None:
    """Take what lives now out of the collector's sight, and let it look only at what is young."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
