"""Signatures with a key of one's own: the service checks them, and `deploy.packing` makes them."""
