"""What people write: stack files and pipeline definitions, their models and their diagnostics."""
