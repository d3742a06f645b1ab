"""The page on how the model does: its figures, its markup, and the files that it is written to."""
