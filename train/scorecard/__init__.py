"""A scorecard: optimal bins, their weight of evidence, and a logistic regression on it."""
