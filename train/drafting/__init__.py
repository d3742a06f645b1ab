"""Drafts a dataset file from a table: `python -m train describe`."""
