"""Configurations real programs have: what the clouds accept and refuse, as data with its source."""
