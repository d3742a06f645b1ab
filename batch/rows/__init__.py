"""Rows: from a record batch of Arrow to scores and to what was refused."""
