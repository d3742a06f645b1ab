"""Batch scoring: a table in, scores out, by one pure function and a thin adapter for each engine."""
