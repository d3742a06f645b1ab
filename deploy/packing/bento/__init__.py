"""Builds the bento of a model: its contents, its normal form, its archive."""
