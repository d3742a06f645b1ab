"""A model and the service as a bento and as an image: built, described, signed, pushed."""
