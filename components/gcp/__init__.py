"""Google Cloud: one logical entity a module. What each is for is in docs/components/."""
