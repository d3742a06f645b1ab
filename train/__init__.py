"""From a table of past applications to a published model: one file per stage."""
