"""Candidates on the same folds, the evidence that gates judge, and the figures of a run."""
