"""The services of the embedded cloud, by resource type."""
