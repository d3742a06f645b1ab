"""What a person may set: YAML files, and beside each the frozen type that reads it."""
