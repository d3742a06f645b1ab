"""What a validator looks at: calibration by decile, effects, interactions, errors, segments, stability."""
