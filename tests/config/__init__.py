"""Tests of what people write: stack files, definitions and their diagnostics."""
