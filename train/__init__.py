"""From a table of past applications to a published model: one file a stage, in the order of the stages."""
