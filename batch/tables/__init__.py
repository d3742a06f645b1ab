"""Tables: where they are, which files they have, and how they are cut into parts and read."""
