"""Puts an image into a registry, with what describes and signs it beside it."""
