"""Definition → plan → text. Pure: no network, no clock, no environment."""
