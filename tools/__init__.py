"""Set-up of a checkout: standard library only, run before any environment exists."""
