"""How far a distribution has moved from its reference."""
