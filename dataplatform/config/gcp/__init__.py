"""The parts a stack may have on Google Cloud, a module each. Only the models: rules between fields are in `rules`."""
