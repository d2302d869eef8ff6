"""The Pulumi program: loads a stack's configuration, composes components, exports outputs."""
