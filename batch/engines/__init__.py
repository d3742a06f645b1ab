"""Engines: ways to have every part of a job scored."""
