"""The tool's commands on this machine: the engine against the embedded cloud, and pipelines run locally."""
