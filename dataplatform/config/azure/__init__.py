"""The parts a stack may have on Azure, a module each. Only the models: rules between fields are in `rules_azure`."""
