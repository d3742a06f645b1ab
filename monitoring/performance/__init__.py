"""How well the model does what it is for: with outcomes, before they arrive, by group, and whether it has changed."""
