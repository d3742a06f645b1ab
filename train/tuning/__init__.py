"""The search for a better model file: `python -m train tune`."""
