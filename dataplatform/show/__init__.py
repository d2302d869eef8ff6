"""Pipelines shown and converted: pictures, words, differences, other notations. Pure functions and their commands."""
