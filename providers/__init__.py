"""Pulumi providers of our own, as plugins that the engine starts from `Pulumi.yaml` (`plugins.providers`).

`base` speaks the provider protocol; each package beside it is one plugin. They import nothing else of ours: a plugin
runs in a process of its own, started by the engine.
"""
