"""The ways to capture: a package for each tier, all with the same face, and the ladder."""
