"""Tables: reading files chunk by chunk, columns in compact form, and the checked table."""
