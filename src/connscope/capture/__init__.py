"""The ways to capture: one file for each tier, all with the same face."""
