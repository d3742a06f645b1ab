"""Records that prove themselves: heads, seals and the chain of the log, and how they are checked."""
