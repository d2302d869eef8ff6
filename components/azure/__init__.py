"""Components for Azure, one logical entity a file."""
