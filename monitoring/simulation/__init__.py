"""Seeded traffic with delayed truth through the running service, to see which findings it raises."""
