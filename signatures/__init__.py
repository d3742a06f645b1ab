"""Signatures with a key of one's own: the service checks them; training and `deploy.packing` make them."""
