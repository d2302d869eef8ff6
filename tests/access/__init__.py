"""Rights: what pipelines need, what a stack grants, and what the embedded cloud makes of it."""
