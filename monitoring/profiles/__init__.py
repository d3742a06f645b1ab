"""whylogs profiles of the decision log, and the process that writes them."""
