"""Measurements, each a program of its own that prints ratios of one run on one machine."""
