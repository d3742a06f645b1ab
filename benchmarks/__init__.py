"""Measurements, each with its command; nothing here is a test."""
