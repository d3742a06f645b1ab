"""What `service.py` composes: the way in over HTTP, scoring with its records, and the metrics."""
