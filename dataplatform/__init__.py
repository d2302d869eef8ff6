"""The tool: what a person wrote is checked, compiled, shown, and brought up; its command is `dp`."""
