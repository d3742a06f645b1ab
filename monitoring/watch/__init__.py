"""The process that watches: it looks, writes the page and the metrics, and sends what is new."""
