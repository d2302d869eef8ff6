"""The embedded cloud: provider plugins and HTTP services the program can be brought up on without an account."""
