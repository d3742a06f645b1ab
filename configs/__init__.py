"""Everything a person can set: YAML files, and beside each the frozen type that reads it."""
