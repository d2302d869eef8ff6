"""A real CDAP on this machine, from its published Maven artifacts: obtaining, starting and stopping it."""
