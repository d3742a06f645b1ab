"""Checks of a table as a whole, and the report on it."""
