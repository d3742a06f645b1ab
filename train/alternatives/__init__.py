"""The search for less discriminatory alternatives: models near the best in cost, for a person to choose from."""
