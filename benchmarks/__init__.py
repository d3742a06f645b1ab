"""Measurements, each with its command; none of them is a test."""
